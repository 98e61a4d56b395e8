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

register() {
    # Read from files, so that neither is among the arguments that every process may see. The empty folder keeps curl from
    # trusting anything but the parent's CA.
    mkdir -p "$folder/none" &&
        printf 'Authorization: Bearer %s\nContent-Type: application/json\n' "$(cat "$folder/token")" >"$folder/headers" &&
        curl --fail --silent --show-error --proto '=https' --tlsv1.2 \
            --cacert "$folder/ca.crt" --capath "$folder/none" \
            --connect-timeout 10 --max-time 60 \
            --header "@$folder/headers" --data '{"cluster":"@CLUSTER@"}' \
            --output "$folder/answer.yaml" "$(cat "$folder/url")" &&
        $kubectl apply --server-side --force-conflicts --field-manager lattice.dev/bootstrap \
            --filename "$folder/answer.yaml" &&
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
rm -f "$folder/token" "$folder/headers" "$folder/answer.yaml"
