# A Premium namespace under a customer's key, as the provider's users write it.
terraform {
  required_providers {
    azurerm = { source = "hashicorp/azurerm" }
  }
}

variable "client_object_id" { type = string }
variable "tenant_id" { type = string }

provider "azurerm" {
  resource_provider_registrations = "none"
  features {
    key_vault {
      purge_soft_delete_on_destroy    = false
      recover_soft_deleted_key_vaults = true
    }
  }
}

resource "azurerm_resource_group" "group" {
  name     = "terraform-group"
  location = "westus"
}

resource "azurerm_user_assigned_identity" "bus" {
  name                = "terraform-identity"
  resource_group_name = azurerm_resource_group.group.name
  location            = azurerm_resource_group.group.location
}

resource "azurerm_key_vault" "vault" {
  name                       = "terraform-vault"
  resource_group_name        = azurerm_resource_group.group.name
  location                   = azurerm_resource_group.group.location
  tenant_id                  = var.tenant_id
  sku_name                   = "standard"
  purge_protection_enabled   = true
  soft_delete_retention_days = 7
  rbac_authorization_enabled = false
}

resource "azurerm_key_vault_access_policy" "client" {
  key_vault_id    = azurerm_key_vault.vault.id
  tenant_id       = var.tenant_id
  object_id       = var.client_object_id
  key_permissions = ["Create", "Delete", "Get", "List", "Recover", "Update", "GetRotationPolicy", "SetRotationPolicy"]
}

resource "azurerm_key_vault_access_policy" "bus" {
  key_vault_id    = azurerm_key_vault.vault.id
  tenant_id       = var.tenant_id
  object_id       = azurerm_user_assigned_identity.bus.principal_id
  key_permissions = ["Get", "UnwrapKey", "WrapKey"]
}

resource "azurerm_key_vault_key" "key" {
  name         = "terraform-key"
  key_vault_id = azurerm_key_vault.vault.id
  key_type     = "RSA"
  key_size     = 2048
  key_opts     = ["unwrapKey", "wrapKey"]
  depends_on   = [azurerm_key_vault_access_policy.client]
}

resource "azurerm_servicebus_namespace" "bus" {
  name                         = "terraform-bus"
  resource_group_name          = azurerm_resource_group.group.name
  location                     = azurerm_resource_group.group.location
  sku                          = "Premium"
  capacity                     = 1
  premium_messaging_partitions = 1

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.bus.id]
  }

  customer_managed_key {
    key_vault_key_id = azurerm_key_vault_key.key.id
    identity_id      = azurerm_user_assigned_identity.bus.id
  }

  depends_on = [azurerm_key_vault_access_policy.bus]
}

resource "azurerm_servicebus_queue" "orders" {
  name                  = "orders"
  namespace_id          = azurerm_servicebus_namespace.bus.id
  max_delivery_count    = 5
  max_size_in_megabytes = 1024
}

output "key_versionless_id" { value = azurerm_key_vault_key.key.versionless_id }
output "namespace_endpoint" { value = azurerm_servicebus_namespace.bus.endpoint }
