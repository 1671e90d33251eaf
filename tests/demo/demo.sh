#!/usr/bin/env bash
# demo.sh: tells the article's story over real HTTPS against a fresh emulator, and stops at the first answer that is not as it should be.
# Needs SEALEDBUS (the binary), curl, jq, xxd. The clock is manual, so "five minutes later" takes no time.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
pid=
cleanup() {
    if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap cleanup EXIT

bold=; dim=; off=
if [ -t 1 ]; then bold=$'\e[1m'; dim=$'\e[2m'; off=$'\e[0m'; fi
n=0
step() { n=$((n + 1)); printf '\n%s%2d. %s%s\n' "$bold" "$n" "$1" "$off"; }
show() { printf '%s    %s%s\n' "$dim" "$1" "$off"; }
fail() { printf '\nDEMO FAILED: %s\n' "$1" >&2; [ -s "$work/log" ] && tail -n 15 "$work/log" >&2; exit 1; }

start() {
    : >"$work/ready"
    "$SEALEDBUS" --data-dir "$work/data" --https-port 0 --http-port 0 --clock manual --now 2021-02-10T12:00:00Z \
        >"$work/ready" 2>>"$work/log" &
    pid=$!
    for _ in $(seq 1 400); do
        [ -s "$work/ready" ] && break
        kill -0 "$pid" 2>/dev/null || fail "the emulator did not start"
        sleep 0.02
    done
    https=$(jq -r .https "$work/ready"); http=$(jq -r .http "$work/ready"); ca=$(jq -r .ca "$work/ready")
    [ -n "$https" ] || fail "no ready line"
}
stop() { kill -TERM "$pid"; wait "$pid" || fail "the emulator did not stop cleanly"; pid=; }

# call WANTED_STATUS (may be a pattern) METHOD URL [curl options…]: real host names, our port; body in $body, status checked.
call() {
    local want=$1 method=$2 url=$3; shift 3
    local code
    code=$(curl -sS --cacert "$ca" --connect-to "::127.0.0.1:$https" -o "$work/body" -D "$work/headers" -w '%{http_code}' \
        -X "$method" "$@" "$url") || fail "$method $url: no answer"
    body=$(cat "$work/body")
    # shellcheck disable=SC2053 # a pattern
    [[ "$code" == $want ]] || fail "$method $url answered $code, not $want: $body"
}
control() { # METHOD PATH [BODY]
    body=$(curl -sS -f -X "$1" ${3:+-d "$3"} "http://127.0.0.1:$http$2") || fail "control $1 $2"
}
token() { # resource -> a bearer token by the client credentials grant
    curl -sS --cacert "$ca" --connect-to "::127.0.0.1:$https" \
        -d grant_type=client_credentials -d client_id=22222222-2222-2222-2222-222222222222 -d client_secret=emulator-secret \
        --data-urlencode "scope=$1/.default" \
        https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token | jq -er .access_token
}
is() { # WHAT WANTED GOT
    [ "$2" = "$3" ] || fail "$1 is '$3', not '$2'"
}
arm=https://management.azure.com
sub=/subscriptions/00000000-0000-0000-0000-000000000000
group=$sub/resourceGroups/ContosoRG
vault=contoso-sb-byok
ns=contoso-orders
nsid=$group/providers/Microsoft.ServiceBus/namespaces/$ns
ns_version=2018-01-01-preview
vault_url=https://$vault.vault.azure.net
queue_url=https://$ns.servicebus.windows.net/orders

arm_call() { local w=$1 m=$2 u=$3; shift 3; call "$w" "$m" "$arm$u" -H "Authorization: Bearer $arm_token" -H 'Content-Type: application/json' "$@"; }
key_call() { local w=$1 m=$2 u=$3; shift 3; call "$w" "$m" "$vault_url$u?api-version=7.4" -H "Authorization: Bearer $vault_token" -H 'Content-Type: application/json' "$@"; }

# sas: a shared access signature for the queue, signed with the namespace's root rule.
sas() {
    local sr se sig
    sr=$(printf %s "$queue_url" | jq -sRr @uri)
    se=$(($(date +%s) + 3600))
    sig=$(printf '%s\n%s' "$sr" "$se" | openssl dgst -sha256 -hmac "$1" -binary | base64 | jq -sRr '.[:-1] | @uri')
    printf 'SharedAccessSignature sr=%s&sig=%s&se=%s&skn=RootManageSharedAccessKey' "$sr" "$sig" "$se"
}
bus() { local w=$1 m=$2 u=$3; shift 3; call "$w" "$m" "$queue_url$u" -H "Authorization: $sas" "$@"; }
# deploy WANTED_STATE NAME: the article's template NAME.json, word for word, with the parameters of NAMEParams.json in which each <placeholder> has its
# value; waits as the answer says, and leaves the finished deployment in $body.
deploy() {
    local want=$1 deployment=$group/providers/Microsoft.Resources/deployments/$2 parameters operation state=Accepted
    parameters=$(sed "s|<ServiceBusNamespaceName>|$ns|; s|<Location>|West US|; s|<KeyVaultName>|$vault|; s|<KeyName>|key1|" \
        "$here/fixtures/article/$2Params.json" | jq .parameters)
    { printf '{"properties":{"mode":"Incremental","parameters":%s,"template":' "$parameters"; cat "$here/fixtures/article/$2.json"; printf '}}'; } >"$work/deployment"
    arm_call '20[01]' PUT "$deployment?api-version=2022-09-01" --data-binary "@$work/deployment"
    operation=$(sed -n 's|^Azure-AsyncOperation: *https://[^/]*\([^[:space:]]*\).*|\1|Ip' "$work/headers")
    [ -n "$operation" ] || fail "the deployment names no operation to wait for"
    while [ "$state" = Accepted ] || [ "$state" = Running ]; do
        arm_call 200 GET "$operation"
        state=$(jq -r .status <<<"$body")
    done
    is "the deployment's state" "$want" "$state"
    arm_call 200 GET "$deployment?api-version=2022-09-01"
}
key_state() { control GET "/_emulator/namespaces/$ns"; jq -r '"namespace " + .status + ": " + ([.encryption.keys[] | .keyName + " " + .state + (if .state == "Active" then " (wrapped by version " + .wrappedVersion[:8] + "…)" else "" end)] | join(", "))' <<<"$body"; }
revoke_key() { key_call 200 DELETE "/keys/$1"; }
five_minutes() { control POST /_emulator/clock '{"advance":"PT5M"}'; show "five minutes later: $(jq -r '.now' <<<"$body")"; }

began=$(date +%s%N)
step "Start the emulator in an empty folder"
start
show "$(cat "$work/ready")"

step "Sign in with client credentials, as any SDK does"
arm_token=$(token https://management.azure.com) || fail "no token for ARM"
vault_token=$(token https://vault.azure.net) || fail "no token for the vault"
show "a token signed with RS256: ${arm_token:0:36}…"

step "Create the resource group"
arm_call 201 PUT "$group?api-version=2021-04-01" -d '{"location":"westus"}'
show "$(jq -c '{id, properties}' <<<"$body")"

step "Deploy the article's first template: a Premium namespace with a managed identity"
deploy Succeeded CreateServiceBusPremiumNamespace
show "$(jq -c '{name, properties: {provisioningState: .properties.provisioningState, outputs: .properties.outputs}}' <<<"$body")"
is "the output" "$nsid" "$(jq -r .properties.outputs.serviceBusNamespaceId.value <<<"$body")"
arm_call 200 GET "$nsid?api-version=$ns_version"
identity=$(jq -er .identity.principalId <<<"$body") || fail "no identity"
show "$(jq -c '{name, sku, identity}' <<<"$body")"

step "Create the key vault: soft delete and purge protection, as the article asks"
arm_call 200 PUT "$group/providers/Microsoft.KeyVault/vaults/$vault?api-version=2023-07-01" -d '{"location":"westus","properties":{
    "tenantId":"11111111-1111-1111-1111-111111111111","sku":{"family":"A","name":"standard"},"enableSoftDelete":true,"enablePurgeProtection":true,
    "accessPolicies":[{"tenantId":"11111111-1111-1111-1111-111111111111","objectId":"33333333-3333-3333-3333-333333333333",
        "permissions":{"keys":["get","list","create","delete","recover","update","rotate"]}}]}}'
is "purge protection" true "$(jq -r .properties.enablePurgeProtection <<<"$body")"
show "$(jq -c '.properties | {vaultUri, enableSoftDelete, enablePurgeProtection}' <<<"$body")"

step "Create three keys in it"
for k in key1 key2 key3; do
    key_call 200 POST "/keys/$k/create" -d '{"kty":"RSA","key_size":2048}'
    show "$(jq -r .key.kid <<<"$body")"
done

step "The article's second template turns encryption on: refused while that identity may not use the key"
deploy Failed UpdateServiceBusNamespaceWithEncryption
show "$(jq -r '.properties.error | .code + ": " + .details[0].message' <<<"$body")"

step "Grant it get, wrapKey, unwrapKey, list by access policy"
arm_call 200 PUT "$group/providers/Microsoft.KeyVault/vaults/$vault/accessPolicies/add?api-version=2023-07-01" -d '{"properties":{"accessPolicies":[
    {"tenantId":"11111111-1111-1111-1111-111111111111","objectId":"'"$identity"'","permissions":{"keys":["get","wrapKey","unwrapKey","list"]}}]}}'
show "$(jq -c '[.properties.accessPolicies[] | .objectId]' <<<"$body")"

step "Deploy the second template again: encrypted with key1; then key2 and key3 are added for redundancy"
deploy Succeeded UpdateServiceBusNamespaceWithEncryption
arm_call 200 GET "$nsid?api-version=$ns_version"
show "$(jq -c .properties.encryption <<<"$body")"
arm_call 200 PATCH "$nsid?api-version=$ns_version" -d "$(jq -c '{properties: {encryption: (.properties.encryption | {keySource, keyVaultProperties:
    [.keyVaultProperties[0] | .keyName = ("key1", "key2", "key3")]})}}' <<<"$body")"
is "number of keys" 3 "$(jq '.properties.encryption.keyVaultProperties | length' <<<"$body")"
show "$(key_state)"

step "Create a queue, send three messages"
arm_call 200 PUT "$nsid/queues/orders?api-version=2022-10-01-preview" -d '{}'
arm_call 200 POST "$nsid/AuthorizationRules/RootManageSharedAccessKey/listKeys?api-version=2022-10-01-preview"
sas=$(sas "$(jq -r .primaryKey <<<"$body")")
for i in 1 2 3; do
    bus 201 POST /messages -H 'Content-Type: text/plain' -H "BrokerProperties: {\"Label\":\"order\",\"MessageId\":\"order-$i\"}" -H 'customer: "Fabrikam"' \
        -d "order $i: one hundred secret teapots"
done
show "3 messages sent"

step "Look at the row on disk: nothing readable"
control GET "/_emulator/at-rest/$ns/orders/1"
jq -r .sealed <<<"$body" | xxd -r -p >"$work/row"
xxd "$work/row" | head -n 5 | while read -r l; do show "$l"; done
grep -qa teapots "$work/row" && fail "plaintext in the row"
for f in "$work"/data/*; do grep -qaE 'teapots|Fabrikam|order-1' "$f" && fail "plaintext in $f"; done
show "searched every file of the data folder for the body, the property and the message id: not there"

step "Rotate key1; at the next poll the record is updated"
control GET "/_emulator/namespaces/$ns"; before=$(jq -r '.encryption.keys[0].wrappedVersion' <<<"$body")
key_call 200 POST /keys/key1/rotate
five_minutes
control GET "/_emulator/namespaces/$ns"; after=$(jq -r '.encryption.keys[0].wrappedVersion' <<<"$body")
[ "$before" != "$after" ] || fail "the record still holds the old version"
show "key1: ${before:0:8}… -> ${after:0:8}…"

step "Delete key1: at the next poll it leaves the record, everything still works"
revoke_key key1
five_minutes
show "$(key_state)"
arm_call 200 GET "$nsid?api-version=$ns_version"
is "number of listed keys" 2 "$(jq '.properties.encryption.keyVaultProperties | length' <<<"$body")"
bus 201 POST '/messages/head?timeout=0'
is "the message" "order 1: one hundred secret teapots" "$body"
bus 200 PUT "/messages/$(sed -n 's|^[Ll]ocation:.*/messages/\([^[:space:]]*\).*|\1|p' "$work/headers" | tr -d '\r')"

step "Delete key2 and key3 too: until the poll, the cached key still serves"
revoke_key key2; revoke_key key3
bus 201 POST '/messages/head?timeout=0'
bus 200 PUT "/messages/$(sed -n 's|^[Ll]ocation:.*/messages/\([^[:space:]]*\).*|\1|p' "$work/headers" | tr -d '\r')"
show "still readable"

step "After the poll the namespace is Revoked: the data is kept, and nobody can read it"
five_minutes
arm_call 200 GET "$nsid?api-version=$ns_version"
is "status of the namespace" Revoked "$(jq -r .properties.status <<<"$body")"
show "$(key_state)"
bus 403 POST '/messages/head?timeout=0'
show "$body"
bus 403 POST /messages -d 'one more'

step "Restart the emulator: still Revoked, nothing lost"
stop
start
arm_token=$(token https://management.azure.com); vault_token=$(token https://vault.azure.net)
bus 403 POST '/messages/head?timeout=0'
show "403 as before"

step "Recover one key: at the next poll everything is back"
key_call 200 POST /deletedkeys/key2/recover
bus 403 POST '/messages/head?timeout=0'
five_minutes
show "$(key_state)"
for i in 1 2 3; do
    bus 200 DELETE '/messages/head?timeout=0'
    is "message $i" "order $i: one hundred secret teapots" "$body"
    is "sequence number" "$i" "$(sed -n 's/^BrokerProperties: *//Ip' "$work/headers" | jq -r .SequenceNumber)"
    show "$(sed -n 's/^BrokerProperties: *//Ip' "$work/headers" | jq -c '{SequenceNumber, MessageId, Label}') $body"
done
bus 204 DELETE '/messages/head?timeout=0'

step "What the service did, from its own log"
control GET '/_emulator/events?limit=1000'
jq -r '.events[] | select(.stream == "key") | "\(.time)  \(.operation)  \(.key)  \(.code)"' <<<"$body" | while read -r l; do show "$l"; done
stop
printf '\nThe story held, in %s ms.\n' $((($(date +%s%N) - began) / 1000000))
