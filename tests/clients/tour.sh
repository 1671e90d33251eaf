#!/usr/bin/env bash
# tour.sh: curl and openssl alone. The README's tour as it is printed; then queues by SAS and by bearer token on local names.
set -u
port=$CLIENTS_PORT ca=$CLIENTS_CA tmp=$CLIENTS_TMP control=http://localhost:$CLIENTS_CONTROL/_emulator
tenant=11111111-1111-1111-1111-111111111111
group=https://management.localhost:$port/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/curl
namespace=$group/providers/Microsoft.ServiceBus/namespaces/curl-namespace
queue=https://curl-namespace.servicebus.localhost:$port/orders
passed=0 failed=0

# check WHAT COMMAND…: the command runs in a shell of its own that ends at the first failure; its output is shown only then.
check() {
    local what=$1 said
    shift
    # -e has no force in a condition.
    said=$(exec 2>&1; set -e; "$@")
    if [ $? -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok     tour: $what"
    else
        failed=$((failed + 1))
        printf 'FAILED tour: %s\n%s\n' "$what" "$said"
    fi
}

# ask STATUS CURL-ARGUMENT…: the body on stdout; another status fails.
ask() {
    local want=$1 status
    shift
    status=$(curl -sS --cacert "$ca" -o "$tmp/body" -w '%{http_code}' "$@")
    [ "$status" = "$want" ] || { echo "expected $want, got $status: $(cat "$tmp/body")"; return 1; }
    cat "$tmp/body"
}

token() {
    ask 200 "https://login.localhost:$port/$tenant/oauth2/v2.0/token" -d grant_type=client_credentials \
        -d client_id=22222222-2222-2222-2222-222222222222 -d client_secret=emulator-secret --data-urlencode "scope=$1/.default" |
        jq -er .access_token
}

arm() { # STATUS METHOD URL API-VERSION [BODY]
    ask "$1" -X "$2" -H "Authorization: Bearer $arm_token" -H 'Content-Type: application/json' "$3?api-version=$4" -d "${5:-}"
}

# sas URL RULE KEY: a token for an hour.
sas() {
    local resource expiry signature
    resource=$(jq -rn --arg v "$1" '$v | @uri')
    expiry=$(($(date +%s) + 3600))
    signature=$(printf '%s\n%s' "$resource" "$expiry" | openssl dgst -sha256 -hmac "$3" -binary | base64 -w 0 | jq -Rr @uri)
    echo "SharedAccessSignature sr=$resource&sig=$signature&se=$expiry&skn=$2"
}

# The block of the README that holds the tour, with this emulator's port and folder; what it sleeps for is skipped by its clock.
readme_tour() {
    awk '/^```sh$/ { inside = 1; block = ""; next }
         /^```$/ { if (inside && block ~ /# take the key away/) { printf "%s", block; found = 1 } inside = 0 }
         inside { block = block $0 "\n" }
         END { exit !found }' ../../README.md >"$tmp/readme.sh"
    sed -i "s|/tmp/tour/ca\.pem|$ca|g; s|8443|$port|g; s|localhost:5300/_emulator|localhost:$CLIENTS_CONTROL/_emulator|g
            s|^sleep .*|curl -sS -o /dev/null -d '{\"advance\":\"PT5M\"}' $control/clock|" "$tmp/readme.sh"
    bash -eu "$tmp/readme.sh" >"$tmp/readme.out" 2>&1 || { cat "$tmp/readme.out"; return 1; }
    cat "$tmp/readme.out"
    grep -q '"status":"Revoked"' "$tmp/readme.out"
    grep -q 'the encryption key is no longer valid' "$tmp/readme.out"
    [ "$(tail -n 1 "$tmp/readme.out")" = 'one hundred secret teapots' ]
}

# Each name has a certificate that openssl finds good, against the emulator's CA alone.
certificates() {
    local host
    for host in localhost management.localhost login.localhost graph.localhost any.vault.localhost any.servicebus.localhost \
        management.azure.com login.microsoftonline.com any.vault.azure.net any.servicebus.windows.net; do
        echo "$host"
        openssl s_client -connect "127.0.0.1:$port" -servername "$host" -verify_hostname "$host" -verify_return_error \
            -CAfile "$ca" -no-CApath -x509_strict </dev/null >"$tmp/tls" 2>&1 || { cat "$tmp/tls"; return 1; }
        grep -q 'Verify return code: 0 (ok)' "$tmp/tls"
    done
    ! openssl s_client -connect "127.0.0.1:$port" -servername login.localhost -verify_hostname www.example.org \
        -verify_return_error -CAfile "$ca" -no-CApath </dev/null >"$tmp/tls" 2>&1
}

make_queue() {
    arm 201 PUT "$group" 2021-04-01 '{"location":"westus"}'
    arm 201 PUT "$namespace" 2024-01-01 '{"location":"westus","sku":{"name":"Premium","tier":"Premium"}}'
    arm 200 PUT "$namespace/queues/orders" 2024-01-01 '{}'
    arm 200 POST "$namespace/AuthorizationRules/RootManageSharedAccessKey/listKeys" 2024-01-01 | jq -er .primaryKey >"$tmp/key"
}

by_sas() {
    local auth
    auth="Authorization: $(sas "$queue" RootManageSharedAccessKey "$(cat "$tmp/key")")"
    ask 201 -X POST -H "$auth" "$queue/messages" -d 'sent by SAS'
    [ "$(ask 201 -X POST -H "$auth" "$queue/messages/head?timeout=0" -D "$tmp/head" -d '')" = 'sent by SAS' ]
    # The Location of a locked message is where it is deleted.
    ask 200 -X DELETE -H "$auth" "$(tr -d '\r' <"$tmp/head" | sed -n 's/^[Ll]ocation: //p')"
    ask 204 -X DELETE -H "$auth" "$queue/messages/head?timeout=0"
}

wrong_sas() {
    ask 401 -X POST -H "Authorization: $(sas "$queue" RootManageSharedAccessKey wrong)" "$queue/messages" -d x
    ask 401 -X POST -H "Authorization: $(sas "${queue%/*}/other" RootManageSharedAccessKey "$(cat "$tmp/key")")" "$queue/messages" -d x
    ask 401 -X POST "$queue/messages" -d x
}

by_bearer() {
    local bearer data_owner=090c5cfd-751d-490a-894a-3ce6f1109419
    bearer="Authorization: Bearer $(token https://servicebus.azure.net)"
    ask 401 -X POST -H "$bearer" "$queue/messages" -d 'no role yet'
    arm 201 PUT "$namespace/providers/Microsoft.Authorization/roleAssignments/$(cat /proc/sys/kernel/random/uuid)" 2022-04-01 \
        '{"properties":{"roleDefinitionId":"/providers/Microsoft.Authorization/roleDefinitions/'$data_owner'",
          "principalId":"33333333-3333-3333-3333-333333333333"}}'
    ask 201 -X POST -H "$bearer" "$queue/messages" -d 'sent by bearer'
    [ "$(ask 200 -X DELETE -H "$bearer" "$queue/messages/head?timeout=0")" = 'sent by bearer' ]
}

arm_token=$(token https://management.azure.com)
check "the README's tour, as printed" readme_tour
check "each name has a certificate that openssl finds good" certificates
check "a namespace, a queue, the root rule's key" make_queue
check "a SAS made with openssl sends, locks and deletes" by_sas
check "a SAS of a wrong key, for another queue, or none is refused" wrong_sas
check "a bearer token sends and receives once it has the role" by_bearer
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
