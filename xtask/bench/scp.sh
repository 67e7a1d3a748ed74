# Copies the large file to every target at the same time, each with an scp of its own.
cd "$(dirname "$0")" || exit
while read -r address port; do
  scp -q -F /dev/null -i @KEY@ -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -P "$port" large "ubuntu@$address:@THERE@/large" &
  pids="$pids $!"
done <targets
status=0
for pid in $pids; do wait "$pid" || status=1; done
exit $status
