#!/bin/sh
# The alternative: what a good engineer writes with kubectl. It stands the other colour up, waits, asks for its health
# once, switches, asks again, and scales the old colour down. No lock, no journal, no probe, no load test, no way back.
# Arguments: NAMESPACE IMAGE FROM TO ADDRESS (of the live service)
set -eu
namespace=$1 image=$2 from=$3 to=$4 address=$5
k() { kubectl --namespace "$namespace" "$@"; }

k get deployment "gremlinsai-backend-$from" -o yaml |
    sed -e "s/gremlinsai-backend-$from/gremlinsai-backend-$to/g" -e "s/version: $from\$/version: $to/" \
        -e "s#image: .*#image: $image#" -e '/^  resourceVersion:/d' -e '/^  uid:/d' |
    k apply --force-conflicts --server-side -f - >/dev/null
started=$(date +%s.%N)
k rollout status "deployment/gremlinsai-backend-$to" --timeout=120s >/dev/null
available=$(date +%s.%N)
pod=$(k get pods -l "app=gremlinsai-backend,version=$to" -o 'jsonpath={.items[0].status.podIP}')
curl -sf "http://$pod:8080/api/v1/health/health" >/dev/null
k patch service gremlinsai-service -p "{\"spec\":{\"selector\":{\"version\":\"$to\"}}}" >/dev/null
for _ in 1 2 3; do
    curl -sf "http://$address/api/v1/health/health" >/dev/null
    sleep 1
done
k scale "deployment/gremlinsai-backend-$from" --replicas=0 >/dev/null
echo "waited $(echo "$available - $started" | bc)"
