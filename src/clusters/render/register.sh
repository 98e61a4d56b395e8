#!/bin/sh
# Tells the parent that this cluster is there, and applies the manifests that it answers with.
set -u
umask 077

folder=@FOLDER@
kubectl="@KUBECTL@ --kubeconfig @KUBECONFIG@"
attempts=40
longest_pause=30

# In the cluster, not on the machine: further machines of the control plane see it too.
registered() {
    $kubectl --namespace kube-system get configmap lattice-registered >/dev/null 2>&1
}

# One key for all attempts, because the token admits only one. It leaves the machine for its own cluster alone.
make_key() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=@CLUSTER@" \
        -keyout "$folder/new-key" -out "$folder/request" 2>/dev/null &&
        mv "$folder/new-key" "$folder/key"
}

keep_key() {
    $kubectl --namespace lattice-system create secret generic lattice-agent-key \
        --from-file "tls.key=$folder/key" --dry-run=client --output json >"$folder/secret" &&
        $kubectl apply --server-side --force-conflicts --field-manager lattice.dev/bootstrap --filename "$folder/secret"
}

register() {
    # Read from files, so that neither is among the arguments that every process may see. The empty folder keeps curl from
    # trusting anything but the parent's CA.
    mkdir -p "$folder/none" &&
        { [ -s "$folder/key" ] || make_key; } &&
        printf 'Authorization: Bearer %s\nContent-Type: application/pkcs10\n' "$(cat "$folder/token")" >"$folder/headers" &&
        curl --fail --silent --show-error --proto '=https' --tlsv1.2 \
            --cacert "$folder/ca.crt" --capath "$folder/none" \
            --connect-timeout 10 --max-time 60 \
            --header "@$folder/headers" --data-binary "@$folder/request" \
            --output "$folder/answer" "$(cat "$folder/url")?cluster=@CLUSTER@" &&
        $kubectl apply --server-side --force-conflicts --field-manager lattice.dev/bootstrap --filename "$folder/answer" &&
        keep_key &&
        { registered || $kubectl --namespace kube-system create configmap lattice-registered; }
}

attempt=1
pause=1
until registered || register; do
    if [ "$attempt" -ge "$attempts" ]; then
        echo "lattice: gave up registering with $(cat "$folder/url") after $attempts attempts" >&2
        exit 1
    fi
    attempt=$((attempt + 1))
    sleep "$pause"
    pause=$((pause * 2))
    [ "$pause" -le "$longest_pause" ] || pause=$longest_pause
done
rm -f "$folder/token" "$folder/headers" "$folder/answer" "$folder/key" "$folder/request" "$folder/secret"
