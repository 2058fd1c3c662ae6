mysql -h $TIDB_HOST -P $TIDB_PORT -u $TIDB_USER -p$TIDB_PASSWORD $TIDB_DB < db/schema.sql
mysql -h $TIDB_HOST -P $TIDB_PORT -u $TIDB_USER -p$TIDB_PASSWORD $TIDB_DB < db/seed_runbooks.sql
kubectl -n incident-copilot create secret generic copilot-secrets \
  --from-literal=OPENAI_API_KEY=sk-... \
  --from-literal=TIDB_HOST=... \
  --from-literal=TIDB_USER=... \
  --from-literal=TIDB_PASSWORD=... \
  --from-literal=TIDB_DB=incidentdb
kubectl apply -k deploy/overlays/minikube
# wait pods READY
kubectl -n incident-copilot get pods -w
kubectl apply -f demo/oom-demo.yaml
kubectl apply -f demo/chaos/oom-toggle-job.yaml
kubectl -n incident-copilot port-forward svc/ui 3000:3000
# http://localhost:3000
