-- The runbooks of docs/runbooks, printed by `incident-copilot runbooks`. It may be run
-- again: rows that are there are brought up to date.

UPDATE runbooks SET service = '*', title = 'Pods run but are not ready, or a probe kills them', body = 'The container runs, but its readiness probe fails, so its Service sends it nothing; or its liveness
probe fails, so it is killed although it may be well.

Set once: `NS=demo APP=web C=app POD=<the unready pod>`.

## Symptoms
- `0/1 Running`; Warning event `Unhealthy: Readiness probe failed: ...`.
- The Service has no endpoints; callers see 503 or refused connections.
- With a liveness probe: events `Unhealthy`, then `Killing`; restarts at regular intervals, exit
  code 137 or 143, reason `Error` and not `OOMKilled`.

## Confirm
- What the probe got: `kubectl -n $NS get events --field-selector involvedObject.name=$POD --sort-by=.lastTimestamp`
- What it asks: `kubectl -n $NS get deployment $APP -o jsonpath=''{range .spec.template.spec.containers[*]}{.name}{" ports="}{.ports}{" readiness="}{.readinessProbe}{" liveness="}{.livenessProbe}{"; "}{end}''`
- Who is left to serve: `kubectl -n $NS get endpointslices -l kubernetes.io/service-name=$APP`
- Ask the same yourself: `kubectl -n $NS port-forward pod/$POD 18080:8080` and `curl -i http://127.0.0.1:18080/healthz`

## Likely causes
1. Port, path or scheme of the probe is not what the program serves (a change on one side only).
2. The program is really not ready: it waits for a database, a cache, a migration. Its log says so.
3. The probe is too strict: `timeoutSeconds: 1` under load; `initialDelaySeconds` shorter than the start.
4. The health endpoint checks its dependencies, so one slow database takes every pod out at once.
5. CPU throttling makes both program and probe slow. See *cpu-throttled*.

## Steps
1. Is anything still ready? `kubectl -n $NS get pods -l app=$APP`. If nothing is, this is an outage: take the fastest way back.
2. Did it begin with a rollout? Go back: `kubectl -n $NS rollout undo deployment/$APP`
3. Read the probe''s answer in the events. `connection refused`: wrong port, or the program does not listen yet. `server gave HTTP response to HTTPS client`: wrong scheme. `404`: wrong path. `context deadline exceeded`: too slow. `500`, `503`: it says itself that it is not well; read its log: `kubectl -n $NS logs $POD -c $C --tail=100`
4. Wrong port or path: correct the probe where the manifest is kept, or now: `kubectl -n $NS edit deployment/$APP`
5. Slow start: add a `startupProbe` with `failureThreshold` times `periodSeconds` above the longest start; do not stretch the liveness probe.
6. Not well because of a dependency: go there. Do not restart these pods: it adds load.

## Fix
The probe that matches the program, or the version before. Way back: `kubectl -n $NS rollout undo deployment/$APP`.
Never delete a readiness probe to make a light green.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=180s` ends well; every pod `1/1`.
- The Service has its endpoints again and callers see no more 503.

## Prevent
- Name ports and let probes use the names. Test the probe in the pull request.
- Liveness asks "is this process stuck", readiness asks "may it have traffic"; neither asks for others.
', tags = '["readiness","liveness","probe","endpoints","cause:bad_probe","rule:not_ready","rule:crash_loop"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'bad-probe';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'bad-probe', '*', 'Pods run but are not ready, or a probe kills them', 'The container runs, but its readiness probe fails, so its Service sends it nothing; or its liveness
probe fails, so it is killed although it may be well.

Set once: `NS=demo APP=web C=app POD=<the unready pod>`.

## Symptoms
- `0/1 Running`; Warning event `Unhealthy: Readiness probe failed: ...`.
- The Service has no endpoints; callers see 503 or refused connections.
- With a liveness probe: events `Unhealthy`, then `Killing`; restarts at regular intervals, exit
  code 137 or 143, reason `Error` and not `OOMKilled`.

## Confirm
- What the probe got: `kubectl -n $NS get events --field-selector involvedObject.name=$POD --sort-by=.lastTimestamp`
- What it asks: `kubectl -n $NS get deployment $APP -o jsonpath=''{range .spec.template.spec.containers[*]}{.name}{" ports="}{.ports}{" readiness="}{.readinessProbe}{" liveness="}{.livenessProbe}{"; "}{end}''`
- Who is left to serve: `kubectl -n $NS get endpointslices -l kubernetes.io/service-name=$APP`
- Ask the same yourself: `kubectl -n $NS port-forward pod/$POD 18080:8080` and `curl -i http://127.0.0.1:18080/healthz`

## Likely causes
1. Port, path or scheme of the probe is not what the program serves (a change on one side only).
2. The program is really not ready: it waits for a database, a cache, a migration. Its log says so.
3. The probe is too strict: `timeoutSeconds: 1` under load; `initialDelaySeconds` shorter than the start.
4. The health endpoint checks its dependencies, so one slow database takes every pod out at once.
5. CPU throttling makes both program and probe slow. See *cpu-throttled*.

## Steps
1. Is anything still ready? `kubectl -n $NS get pods -l app=$APP`. If nothing is, this is an outage: take the fastest way back.
2. Did it begin with a rollout? Go back: `kubectl -n $NS rollout undo deployment/$APP`
3. Read the probe''s answer in the events. `connection refused`: wrong port, or the program does not listen yet. `server gave HTTP response to HTTPS client`: wrong scheme. `404`: wrong path. `context deadline exceeded`: too slow. `500`, `503`: it says itself that it is not well; read its log: `kubectl -n $NS logs $POD -c $C --tail=100`
4. Wrong port or path: correct the probe where the manifest is kept, or now: `kubectl -n $NS edit deployment/$APP`
5. Slow start: add a `startupProbe` with `failureThreshold` times `periodSeconds` above the longest start; do not stretch the liveness probe.
6. Not well because of a dependency: go there. Do not restart these pods: it adds load.

## Fix
The probe that matches the program, or the version before. Way back: `kubectl -n $NS rollout undo deployment/$APP`.
Never delete a readiness probe to make a light green.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=180s` ends well; every pod `1/1`.
- The Service has its endpoints again and callers see no more 503.

## Prevent
- Name ports and let probes use the names. Test the probe in the pull request.
- Liveness asks "is this process stuck", readiness asks "may it have traffic"; neither asks for others.
', '["readiness","liveness","probe","endpoints","cause:bad_probe","rule:not_ready","rule:crash_loop"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'bad-probe');

UPDATE runbooks SET service = '*', title = 'A rollout broke it', body = 'The trouble began with a new version or a new configuration of the workload. Going back is nearly
always faster than understanding.

Set once: `NS=demo APP=web`.

## Symptoms
- Crashes, unready pods or new errors in the pods of the newest ReplicaSet, not in those of the one
  before.
- `kubectl rollout status` does not end; condition `Progressing: False, ProgressDeadlineExceeded`.

## Confirm
- New against old pods: `kubectl -n $NS get pods -l app=$APP --sort-by=.metadata.creationTimestamp -L pod-template-hash`
- When which revision came: `kubectl -n $NS get rs -l app=$APP --sort-by=.metadata.creationTimestamp`
- What changed: `kubectl -n $NS rollout history deployment/$APP --revision=<new>` against `--revision=<old>`
- Changes that are no rollout: `kubectl -n $NS get configmap -o ''custom-columns=NAME:.metadata.name,CHANGED:.metadata.managedFields[*].time'' --show-managed-fields`

## Likely causes
1. The new version itself. 2. A changed environment value, command, probe, port or limit in the same
change. 3. A ConfigMap or Secret that changed and was read at the restart. 4. A migration that ran
with it: then going back may not be safe.

## Steps
1. Stop it where it is, if old pods still serve: `kubectl -n $NS rollout pause deployment/$APP`
2. Check that going back is safe: did this release migrate data? Ask its author, and if nobody answers in five minutes, read its notes.
3. Note the revision to return to: `kubectl -n $NS rollout history deployment/$APP`
4. Go back: `kubectl -n $NS rollout resume deployment/$APP` (a paused one refuses), then `kubectl -n $NS rollout undo deployment/$APP --to-revision=<old>`
5. Watch: `kubectl -n $NS rollout status deployment/$APP --timeout=180s`
6. Where Git is deployed by itself (Argo CD, Flux): revert the commit too, or suspend the sync first; else it comes back within minutes.
7. Keep a pod of the bad version''s logs for the post-mortem: `kubectl -n $NS logs <pod> --previous > bad.log`

## Fix
The revision before. Way back: undo once more, it is only another revision.

## Verify
- All pods carry the old template hash, are ready, and have outlived the time after which the new ones failed.
- The error or latency that opened the incident is back to what it was.

## Prevent
- `maxUnavailable: 0`, `minReadySeconds`, `progressDeadlineSeconds`, and a readiness probe that means it.
- Canary, or one zone first. Migrations that both versions can live with.
', tags = '["rollout","deploy","rollback","change","cause:bad_rollout","rule:crash_loop","rule:not_ready","rule:error_burst"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'bad-rollout';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'bad-rollout', '*', 'A rollout broke it', 'The trouble began with a new version or a new configuration of the workload. Going back is nearly
always faster than understanding.

Set once: `NS=demo APP=web`.

## Symptoms
- Crashes, unready pods or new errors in the pods of the newest ReplicaSet, not in those of the one
  before.
- `kubectl rollout status` does not end; condition `Progressing: False, ProgressDeadlineExceeded`.

## Confirm
- New against old pods: `kubectl -n $NS get pods -l app=$APP --sort-by=.metadata.creationTimestamp -L pod-template-hash`
- When which revision came: `kubectl -n $NS get rs -l app=$APP --sort-by=.metadata.creationTimestamp`
- What changed: `kubectl -n $NS rollout history deployment/$APP --revision=<new>` against `--revision=<old>`
- Changes that are no rollout: `kubectl -n $NS get configmap -o ''custom-columns=NAME:.metadata.name,CHANGED:.metadata.managedFields[*].time'' --show-managed-fields`

## Likely causes
1. The new version itself. 2. A changed environment value, command, probe, port or limit in the same
change. 3. A ConfigMap or Secret that changed and was read at the restart. 4. A migration that ran
with it: then going back may not be safe.

## Steps
1. Stop it where it is, if old pods still serve: `kubectl -n $NS rollout pause deployment/$APP`
2. Check that going back is safe: did this release migrate data? Ask its author, and if nobody answers in five minutes, read its notes.
3. Note the revision to return to: `kubectl -n $NS rollout history deployment/$APP`
4. Go back: `kubectl -n $NS rollout resume deployment/$APP` (a paused one refuses), then `kubectl -n $NS rollout undo deployment/$APP --to-revision=<old>`
5. Watch: `kubectl -n $NS rollout status deployment/$APP --timeout=180s`
6. Where Git is deployed by itself (Argo CD, Flux): revert the commit too, or suspend the sync first; else it comes back within minutes.
7. Keep a pod of the bad version''s logs for the post-mortem: `kubectl -n $NS logs <pod> --previous > bad.log`

## Fix
The revision before. Way back: undo once more, it is only another revision.

## Verify
- All pods carry the old template hash, are ready, and have outlived the time after which the new ones failed.
- The error or latency that opened the incident is back to what it was.

## Prevent
- `maxUnavailable: 0`, `minReadySeconds`, `progressDeadlineSeconds`, and a readiness probe that means it.
- Canary, or one zone first. Migrations that both versions can live with.
', '["rollout","deploy","rollback","change","cause:bad_rollout","rule:crash_loop","rule:not_ready","rule:error_burst"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'bad-rollout');

UPDATE runbooks SET service = '*', title = 'A certificate is not accepted (x509)', body = 'One side shows a certificate that the other does not accept: it is over, not begun, signed by an
authority the program does not know, or made out to another name. The log says which.

Whom to trust is a decision about security: the co-pilot reads no Secrets and changes no certificate.

Set once: `NS=demo HOST=<the peer in the log> PORT=443 SECRET=<the TLS Secret of the peer>`.

## Symptoms
- Go: `x509: certificate has expired or is not yet valid`, `signed by unknown authority`, `is valid for a, not b`.
- OpenSSL, Python, curl: `certificate verify failed`, `certificate has expired`, `unable to get local issuer certificate`.
- Java: `PKIX path building failed`. Everything worked until a certain minute.

## Confirm
- The dates and names that are really shown:
  `kubectl -n $NS run ask --rm -i --restart=Never --image=alpine/openssl -- s_client -connect $HOST:$PORT -servername $HOST </dev/null | openssl x509 -noout -dates -issuer -subject -ext subjectAltName`
- The same of the Secret: `kubectl -n $NS get secret $SECRET -o go-template=''{{index .data "tls.crt" | base64decode}}'' | openssl x509 -noout -enddate -ext subjectAltName`
- With cert-manager: `kubectl -n $NS get certificates,certificaterequests`

## Likely causes
1. It ran out and its renewal failed, or was renewed and the server still holds the old one.
2. The server shows a self-signed one, or the chain lacks the intermediate.
3. The client lacks the authority: its own bundle is old, or the CA was renewed.
4. The client asks by a name (or an address) that the certificate does not list.
5. A clock is wrong: compare the "current time" in the message with the log line''s own time.

## Steps
1. Read which of the four it is, and of which peer.
2. Expired: see why the renewal failed: `kubectl -n $NS describe certificate <name>`; renew: `cmctl -n $NS renew <name>`
3. Renewed but still shown as old: let the server read it again: `kubectl -n $NS rollout restart deployment/<server>`
4. Unknown authority: put the CA into the client''s bundle where that is kept, then restart the client.
5. Wrong name: call the name the certificate lists, or have one made out to both names.
6. Never turn verification off, not even for the night.

## Fix
A valid certificate, or the right authority, and a restart of who must read it.
Way back: the Secret as it was, from its own source; a restart needs none.

## Verify
- The first command of Confirm shows the new dates; the client''s log is quiet.

## Prevent
- Alert 21 days before a certificate ends, on what is served and not on the Secret.
', tags = '["certificate","tls","x509","expired","unknown-authority","hostname","cause:certificate_invalid","rule:error_burst","rule:crash_loop"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'certificate-invalid';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'certificate-invalid', '*', 'A certificate is not accepted (x509)', 'One side shows a certificate that the other does not accept: it is over, not begun, signed by an
authority the program does not know, or made out to another name. The log says which.

Whom to trust is a decision about security: the co-pilot reads no Secrets and changes no certificate.

Set once: `NS=demo HOST=<the peer in the log> PORT=443 SECRET=<the TLS Secret of the peer>`.

## Symptoms
- Go: `x509: certificate has expired or is not yet valid`, `signed by unknown authority`, `is valid for a, not b`.
- OpenSSL, Python, curl: `certificate verify failed`, `certificate has expired`, `unable to get local issuer certificate`.
- Java: `PKIX path building failed`. Everything worked until a certain minute.

## Confirm
- The dates and names that are really shown:
  `kubectl -n $NS run ask --rm -i --restart=Never --image=alpine/openssl -- s_client -connect $HOST:$PORT -servername $HOST </dev/null | openssl x509 -noout -dates -issuer -subject -ext subjectAltName`
- The same of the Secret: `kubectl -n $NS get secret $SECRET -o go-template=''{{index .data "tls.crt" | base64decode}}'' | openssl x509 -noout -enddate -ext subjectAltName`
- With cert-manager: `kubectl -n $NS get certificates,certificaterequests`

## Likely causes
1. It ran out and its renewal failed, or was renewed and the server still holds the old one.
2. The server shows a self-signed one, or the chain lacks the intermediate.
3. The client lacks the authority: its own bundle is old, or the CA was renewed.
4. The client asks by a name (or an address) that the certificate does not list.
5. A clock is wrong: compare the "current time" in the message with the log line''s own time.

## Steps
1. Read which of the four it is, and of which peer.
2. Expired: see why the renewal failed: `kubectl -n $NS describe certificate <name>`; renew: `cmctl -n $NS renew <name>`
3. Renewed but still shown as old: let the server read it again: `kubectl -n $NS rollout restart deployment/<server>`
4. Unknown authority: put the CA into the client''s bundle where that is kept, then restart the client.
5. Wrong name: call the name the certificate lists, or have one made out to both names.
6. Never turn verification off, not even for the night.

## Fix
A valid certificate, or the right authority, and a restart of who must read it.
Way back: the Secret as it was, from its own source; a restart needs none.

## Verify
- The first command of Confirm shows the new dates; the client''s log is quiet.

## Prevent
- Alert 21 days before a certificate ends, on what is served and not on the Secret.
', '["certificate","tls","x509","expired","unknown-authority","hostname","cause:certificate_invalid","rule:error_burst","rule:crash_loop"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'certificate-invalid');

UPDATE runbooks SET service = '*', title = 'A container has nothing to run, or its port is taken', body = 'The command is not in the image, may not be run, or is made for another machine; or two programs of
one pod want the same port. Nothing gets better by waiting.

Set once: `NS=demo APP=web C=app POD=<the failing pod>`.

## Symptoms
- `StartError`, exit 128: the runtime found nothing to start. The log is empty.
- Exit 127 (not found) or 126 (may not be run): a shell ran, and its command did not.
- `exec format error`: an image for another processor.
- `address already in use`: one container of the pod runs, another ends at once.

## Confirm
- How it ended: `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.containerStatuses[*]}{.name}{" "}{.lastState.terminated.reason}{" "}{.lastState.terminated.exitCode}{" "}{.lastState.terminated.message}{"; "}{end}''`
- What it should run: `kubectl -n $NS get pod $POD -o jsonpath=''{range .spec.containers[*]}{.name}{" "}{.image}{" "}{.command}{" "}{.args}{" "}{.ports[*].containerPort}{"; "}{end}''`
- Its last words: `kubectl -n $NS logs $POD -c $C --previous --tail=20`
- The machine: `kubectl get nodes -o ''custom-columns=NAME:.metadata.name,ARCH:.status.nodeInfo.architecture''`

## Likely causes
1. `command` was set where `args` was meant: the image''s own entry point is replaced.
2. A path that the new image no longer has, or a shell in an image without one.
3. A script without its executable bit, or with a first line that names no program there is.
4. An image built for one architecture only.
5. A volume mounted over the directory that holds the program.
6. A side container that came with the same port, or two with `hostNetwork`.

## Steps
1. Read the message or the last words: they name the program or the port.
2. Did it change just now? `kubectl -n $NS rollout history deployment/$APP`. Then go back: `kubectl -n $NS rollout undo deployment/$APP`
3. Look into the image: `kubectl -n $NS debug $POD -it --image=busybox --target=$C -- ls -l <path>`
4. Correct command, image or port: `kubectl -n $NS edit deployment/$APP`
5. For a port: move one of the two, and with it the Service''s target port and the probes.

## Fix
The command, the image or the port that was there before; else the right one.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=120s`
- The new pods have run for a minute without a restart.

## Prevent
- Start the image once in the pipeline, with the command of the manifest.
- Build for all architectures of the nodes.
', tags = '["command","entrypoint","image","port","cause:command_invalid","cause:port_conflict","rule:crash_loop","rule:job_failed"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'command-invalid';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'command-invalid', '*', 'A container has nothing to run, or its port is taken', 'The command is not in the image, may not be run, or is made for another machine; or two programs of
one pod want the same port. Nothing gets better by waiting.

Set once: `NS=demo APP=web C=app POD=<the failing pod>`.

## Symptoms
- `StartError`, exit 128: the runtime found nothing to start. The log is empty.
- Exit 127 (not found) or 126 (may not be run): a shell ran, and its command did not.
- `exec format error`: an image for another processor.
- `address already in use`: one container of the pod runs, another ends at once.

## Confirm
- How it ended: `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.containerStatuses[*]}{.name}{" "}{.lastState.terminated.reason}{" "}{.lastState.terminated.exitCode}{" "}{.lastState.terminated.message}{"; "}{end}''`
- What it should run: `kubectl -n $NS get pod $POD -o jsonpath=''{range .spec.containers[*]}{.name}{" "}{.image}{" "}{.command}{" "}{.args}{" "}{.ports[*].containerPort}{"; "}{end}''`
- Its last words: `kubectl -n $NS logs $POD -c $C --previous --tail=20`
- The machine: `kubectl get nodes -o ''custom-columns=NAME:.metadata.name,ARCH:.status.nodeInfo.architecture''`

## Likely causes
1. `command` was set where `args` was meant: the image''s own entry point is replaced.
2. A path that the new image no longer has, or a shell in an image without one.
3. A script without its executable bit, or with a first line that names no program there is.
4. An image built for one architecture only.
5. A volume mounted over the directory that holds the program.
6. A side container that came with the same port, or two with `hostNetwork`.

## Steps
1. Read the message or the last words: they name the program or the port.
2. Did it change just now? `kubectl -n $NS rollout history deployment/$APP`. Then go back: `kubectl -n $NS rollout undo deployment/$APP`
3. Look into the image: `kubectl -n $NS debug $POD -it --image=busybox --target=$C -- ls -l <path>`
4. Correct command, image or port: `kubectl -n $NS edit deployment/$APP`
5. For a port: move one of the two, and with it the Service''s target port and the probes.

## Fix
The command, the image or the port that was there before; else the right one.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=120s`
- The new pods have run for a minute without a restart.

## Prevent
- Start the image once in the pipeline, with the command of the manifest.
- Build for all architectures of the nodes.
', '["command","entrypoint","image","port","cause:command_invalid","cause:port_conflict","rule:crash_loop","rule:job_failed"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'command-invalid');

UPDATE runbooks SET service = '*', title = 'A ConfigMap or Secret is missing, or a setting is wrong', body = 'A container takes its settings from a ConfigMap or Secret that is not there, from a key that is not
in it, or gets a value with which it cannot work.

Set once: `NS=demo APP=web C=app POD=<the pod that does not start>`.

## Symptoms
- `CreateContainerConfigError`: a variable names what is not there. The container was never started.
- `ContainerCreating` for minutes with `FailedMount` events: a volume names what is not there.
- `CrashLoopBackOff` right after a setting was changed; the last words name a variable, a host or a
  password.

## Confirm
- What the kubelet looks for: `kubectl -n $NS get events --field-selector involvedObject.name=$POD --sort-by=.lastTimestamp`
- What the spec names: `kubectl -n $NS get deployment/$APP -o yaml | grep -n -A 3 -e configMap -e secret`
- What is there, with its keys: `kubectl -n $NS get configmaps` and `kubectl -n $NS describe configmap <name>`
- Of a Secret the keys alone, without a value: `kubectl -n $NS describe secret <name>`
- What the program said: `kubectl -n $NS logs $POD -c $C --previous --tail=30`

## Likely causes
1. A typing error in the name or the key: one that is nearly called so is there.
2. It was rolled out before the ConfigMap or Secret was made, or in another namespace than it.
3. It was deleted or renamed while running pods still had it: only new pods fail.
4. A key was renamed, or a file became a directory of files.
5. A value was changed: another address, another password, a number where a duration belongs.

## Steps
1. Read the message: it names the object or the key to the letter.
2. Compare with what is there: `kubectl -n $NS get configmaps,secrets`
3. Did a rollout bring it in? `kubectl -n $NS rollout history deployment/$APP`. Then go back first: `kubectl -n $NS rollout undo deployment/$APP`
4. The name is wrong: correct the reference in the workload: `kubectl -n $NS edit deployment/$APP`
5. The object is missing: make it from the manifests'' own repository, not by hand: `kubectl -n $NS apply -f <file>`. A ConfigMap that was deleted may be made again as it was last seen. A Secret comes from where secrets are kept.
6. A value is wrong: set it back: `kubectl -n $NS edit configmap <name>`. Variables are read when a container starts, so start the pods anew: `kubectl -n $NS rollout restart deployment/$APP`
7. Do not mark the source `optional` to get the pod to start: then it runs without its settings.

## Fix
The smallest of: the rollout taken back, the reference corrected, the object made.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS get pods -l app=$APP` shows them ready, without a restart.
- Their log speaks of the setting as it should be.

## Prevent
- Ship ConfigMaps with the workload that reads them (Kustomize and Helm can hash their names).
- `kubectl apply --dry-run=server` does not check references: check them in the pipeline.
', tags = '["configuration","configmap","secret","environment","cause:config_missing","cause:secret_missing","cause:bad_setting","rule:not_ready","rule:crash_loop","rule:error_burst","rule:job_failed"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'configuration-missing';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'configuration-missing', '*', 'A ConfigMap or Secret is missing, or a setting is wrong', 'A container takes its settings from a ConfigMap or Secret that is not there, from a key that is not
in it, or gets a value with which it cannot work.

Set once: `NS=demo APP=web C=app POD=<the pod that does not start>`.

## Symptoms
- `CreateContainerConfigError`: a variable names what is not there. The container was never started.
- `ContainerCreating` for minutes with `FailedMount` events: a volume names what is not there.
- `CrashLoopBackOff` right after a setting was changed; the last words name a variable, a host or a
  password.

## Confirm
- What the kubelet looks for: `kubectl -n $NS get events --field-selector involvedObject.name=$POD --sort-by=.lastTimestamp`
- What the spec names: `kubectl -n $NS get deployment/$APP -o yaml | grep -n -A 3 -e configMap -e secret`
- What is there, with its keys: `kubectl -n $NS get configmaps` and `kubectl -n $NS describe configmap <name>`
- Of a Secret the keys alone, without a value: `kubectl -n $NS describe secret <name>`
- What the program said: `kubectl -n $NS logs $POD -c $C --previous --tail=30`

## Likely causes
1. A typing error in the name or the key: one that is nearly called so is there.
2. It was rolled out before the ConfigMap or Secret was made, or in another namespace than it.
3. It was deleted or renamed while running pods still had it: only new pods fail.
4. A key was renamed, or a file became a directory of files.
5. A value was changed: another address, another password, a number where a duration belongs.

## Steps
1. Read the message: it names the object or the key to the letter.
2. Compare with what is there: `kubectl -n $NS get configmaps,secrets`
3. Did a rollout bring it in? `kubectl -n $NS rollout history deployment/$APP`. Then go back first: `kubectl -n $NS rollout undo deployment/$APP`
4. The name is wrong: correct the reference in the workload: `kubectl -n $NS edit deployment/$APP`
5. The object is missing: make it from the manifests'' own repository, not by hand: `kubectl -n $NS apply -f <file>`. A ConfigMap that was deleted may be made again as it was last seen. A Secret comes from where secrets are kept.
6. A value is wrong: set it back: `kubectl -n $NS edit configmap <name>`. Variables are read when a container starts, so start the pods anew: `kubectl -n $NS rollout restart deployment/$APP`
7. Do not mark the source `optional` to get the pod to start: then it runs without its settings.

## Fix
The smallest of: the rollout taken back, the reference corrected, the object made.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS get pods -l app=$APP` shows them ready, without a restart.
- Their log speaks of the setting as it should be.

## Prevent
- Ship ConfigMaps with the workload that reads them (Kustomize and Helm can hash their names).
- `kubectl apply --dry-run=server` does not check references: check them in the pipeline.
', '["configuration","configmap","secret","environment","cause:config_missing","cause:secret_missing","cause:bad_setting","rule:not_ready","rule:crash_loop","rule:error_burst","rule:job_failed"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'configuration-missing');

UPDATE runbooks SET service = '*', title = 'A container is held back by its CPU limit', body = 'The kernel stops a container for the rest of each 100 ms once it has used its share. The program is
not broken, only slow; its probes may run out of time and get it restarted.

Set once: `NS=demo APP=web C=app POD=<the slow pod>`.

## Symptoms
- Probes fail with `context deadline exceeded` or `timed out`, now and then rather than always.
- Latency in steps; start-up takes minutes. CPU use looks flat, exactly at the limit.

## Confirm
- The limit: `kubectl -n $NS get deployment $APP -o jsonpath=''{range .spec.template.spec.containers[*]}{.name}{" "}{.resources}{"; "}{end}''`
- What it uses: `kubectl -n $NS top pod $POD --containers` (needs metrics-server)
- The kernel''s own count, from inside: `kubectl -n $NS exec $POD -c $C -- cat /sys/fs/cgroup/cpu.stat` (cgroup v1: `/sys/fs/cgroup/cpu/cpu.stat`): `nr_throttled` against `nr_periods`.
- From the kubelet: `kubectl get --raw /api/v1/nodes/$NODE/proxy/metrics/cadvisor | grep container_cpu_cfs_throttled_periods_total`

## Likely causes
1. The limit was set by guess, or lowered; the program never fitted.
2. More load, or a new version that does more. Look for a change just before.
3. A busy loop: CPU at the limit without requests.
4. The runtime starts more threads than the limit feeds (Go before 1.25 without `GOMAXPROCS`, JVM).

## Steps
1. Did it begin with a change of the limit or the image? Go back: `kubectl -n $NS rollout undo deployment/$APP`
2. Is it work or a loop? Compare requests a second with CPU, before and now.
3. Raise the limit one step, within what nodes and quota have: `kubectl -n $NS set resources deployment/$APP -c $C --limits=cpu=200m`
4. Watch it: `kubectl -n $NS rollout status deployment/$APP --timeout=180s`, then throttling and latency.
5. Still throttled: one more step. A third time: it is the program, not the limit.
6. Slow at start only: a `startupProbe` with patience is better than a limit for one minute a day.

## Fix
A CPU limit above what the program uses when nothing holds it back, or none where the cluster''s rules
allow that; a request near its usual use. Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `nr_throttled` stands still; no probe fails for ten minutes; latency is what it was.

## Prevent
- Alert on the share of throttled periods, not on CPU use.
- Tell the runtime how many cores it has.
', tags = '["cpu","throttling","limits","slow","latency","probe-timeout","cause:cpu_limit_too_low","rule:cpu_throttled","rule:not_ready"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'cpu-throttled';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'cpu-throttled', '*', 'A container is held back by its CPU limit', 'The kernel stops a container for the rest of each 100 ms once it has used its share. The program is
not broken, only slow; its probes may run out of time and get it restarted.

Set once: `NS=demo APP=web C=app POD=<the slow pod>`.

## Symptoms
- Probes fail with `context deadline exceeded` or `timed out`, now and then rather than always.
- Latency in steps; start-up takes minutes. CPU use looks flat, exactly at the limit.

## Confirm
- The limit: `kubectl -n $NS get deployment $APP -o jsonpath=''{range .spec.template.spec.containers[*]}{.name}{" "}{.resources}{"; "}{end}''`
- What it uses: `kubectl -n $NS top pod $POD --containers` (needs metrics-server)
- The kernel''s own count, from inside: `kubectl -n $NS exec $POD -c $C -- cat /sys/fs/cgroup/cpu.stat` (cgroup v1: `/sys/fs/cgroup/cpu/cpu.stat`): `nr_throttled` against `nr_periods`.
- From the kubelet: `kubectl get --raw /api/v1/nodes/$NODE/proxy/metrics/cadvisor | grep container_cpu_cfs_throttled_periods_total`

## Likely causes
1. The limit was set by guess, or lowered; the program never fitted.
2. More load, or a new version that does more. Look for a change just before.
3. A busy loop: CPU at the limit without requests.
4. The runtime starts more threads than the limit feeds (Go before 1.25 without `GOMAXPROCS`, JVM).

## Steps
1. Did it begin with a change of the limit or the image? Go back: `kubectl -n $NS rollout undo deployment/$APP`
2. Is it work or a loop? Compare requests a second with CPU, before and now.
3. Raise the limit one step, within what nodes and quota have: `kubectl -n $NS set resources deployment/$APP -c $C --limits=cpu=200m`
4. Watch it: `kubectl -n $NS rollout status deployment/$APP --timeout=180s`, then throttling and latency.
5. Still throttled: one more step. A third time: it is the program, not the limit.
6. Slow at start only: a `startupProbe` with patience is better than a limit for one minute a day.

## Fix
A CPU limit above what the program uses when nothing holds it back, or none where the cluster''s rules
allow that; a request near its usual use. Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `nr_throttled` stands still; no probe fails for ten minutes; latency is what it was.

## Prevent
- Alert on the share of throttled periods, not on CPU use.
- Tell the runtime how many cores it has.
', '["cpu","throttling","limits","slow","latency","probe-timeout","cause:cpu_limit_too_low","rule:cpu_throttled","rule:not_ready"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'cpu-throttled');

UPDATE runbooks SET service = '*', title = 'A container is in a crash loop', body = 'A container starts, ends, and is started again, with pauses of 10 s up to 5 min. The loop is a
symptom: find how it ends.

Set once: `NS=demo APP=web C=app POD=<the failing pod>`.

## Symptoms
- `CrashLoopBackOff`, a rising restart count, while the pod''s phase still says `Running`.
- Event `BackOff: Back-off restarting failed container`.
- A rollout that does not come to an end; the old pods may still serve.

## Confirm
- How it ended: `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.containerStatuses[*]}{.name}{" "}{.lastState.terminated.reason}{" exit="}{.lastState.terminated.exitCode}{" "}{.lastState.terminated.message}{"; "}{end}''`
- What it said: `kubectl -n $NS logs $POD -c $C --previous --tail=100`
- What the kubelet says: `kubectl -n $NS describe pod $POD`

## Likely causes
| exit code | means | look at |
|---|---|---|
| 0 | the program is done | command and args; is it a Job? |
| 1, 2 | it gave up by itself | its last log lines: missing config, refused connection, migration |
| 126, 127 | the command cannot be run, or is not there | command, args, image, file mode |
| 137, reason OOMKilled | out of memory | *oom-killed* |
| 137, reason Error | killed from outside | liveness probe: *bad-probe*; node trouble |
| 139 | segmentation fault | native code, wrong architecture of the image |
| 143 | it was told to end | liveness probe; a hook; somebody''s script |

## Steps
1. Read the exit code and reason (above) and take the matching row.
2. Read the last lines of the life before: `kubectl -n $NS logs $POD -c $C --previous --tail=100`. Gone? `kubectl -n $NS logs $POD -c $C -f` and wait for the next start.
3. Look for a change just before the first crash: `kubectl -n $NS rollout history deployment/$APP` and, for configuration, `kubectl -n $NS get configmap --sort-by=.metadata.creationTimestamp`
4. Did it begin with a rollout? Go back: `kubectl -n $NS rollout undo deployment/$APP`
5. Does it wait for something that is down (database, DNS, a Secret)? Follow that instead; this pod recovers by itself.
6. Killed by its liveness probe (event `Unhealthy`, then `Killing`)? See *bad-probe*.
7. Only if nothing of this helps: run the image by hand, without its command: `kubectl -n $NS debug $POD -it --copy-to=$POD-debug --container=$C -- sh`

## Fix
Whatever ended it: roll back the version or the configuration, give it what it misses, correct the
command. Deleting the pod is no fix; it resets the pause and the evidence.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=180s` ends well.
- The restart count stands still for twice as long as the container lived before.

## Prevent
- Check configuration at start and say in one line what is missing. Wait for dependencies inside the
  program instead of exiting.
- Set `minReadySeconds` and `progressDeadlineSeconds`, so that a bad version stops rolling out.
', tags = '["crash-loop","restarts","exit-code","cause:unknown","rule:crash_loop"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'crash-loop';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'crash-loop', '*', 'A container is in a crash loop', 'A container starts, ends, and is started again, with pauses of 10 s up to 5 min. The loop is a
symptom: find how it ends.

Set once: `NS=demo APP=web C=app POD=<the failing pod>`.

## Symptoms
- `CrashLoopBackOff`, a rising restart count, while the pod''s phase still says `Running`.
- Event `BackOff: Back-off restarting failed container`.
- A rollout that does not come to an end; the old pods may still serve.

## Confirm
- How it ended: `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.containerStatuses[*]}{.name}{" "}{.lastState.terminated.reason}{" exit="}{.lastState.terminated.exitCode}{" "}{.lastState.terminated.message}{"; "}{end}''`
- What it said: `kubectl -n $NS logs $POD -c $C --previous --tail=100`
- What the kubelet says: `kubectl -n $NS describe pod $POD`

## Likely causes
| exit code | means | look at |
|---|---|---|
| 0 | the program is done | command and args; is it a Job? |
| 1, 2 | it gave up by itself | its last log lines: missing config, refused connection, migration |
| 126, 127 | the command cannot be run, or is not there | command, args, image, file mode |
| 137, reason OOMKilled | out of memory | *oom-killed* |
| 137, reason Error | killed from outside | liveness probe: *bad-probe*; node trouble |
| 139 | segmentation fault | native code, wrong architecture of the image |
| 143 | it was told to end | liveness probe; a hook; somebody''s script |

## Steps
1. Read the exit code and reason (above) and take the matching row.
2. Read the last lines of the life before: `kubectl -n $NS logs $POD -c $C --previous --tail=100`. Gone? `kubectl -n $NS logs $POD -c $C -f` and wait for the next start.
3. Look for a change just before the first crash: `kubectl -n $NS rollout history deployment/$APP` and, for configuration, `kubectl -n $NS get configmap --sort-by=.metadata.creationTimestamp`
4. Did it begin with a rollout? Go back: `kubectl -n $NS rollout undo deployment/$APP`
5. Does it wait for something that is down (database, DNS, a Secret)? Follow that instead; this pod recovers by itself.
6. Killed by its liveness probe (event `Unhealthy`, then `Killing`)? See *bad-probe*.
7. Only if nothing of this helps: run the image by hand, without its command: `kubectl -n $NS debug $POD -it --copy-to=$POD-debug --container=$C -- sh`

## Fix
Whatever ended it: roll back the version or the configuration, give it what it misses, correct the
command. Deleting the pod is no fix; it resets the pause and the evidence.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=180s` ends well.
- The restart count stands still for twice as long as the container lived before.

## Prevent
- Check configuration at start and say in one line what is missing. Wait for dependencies inside the
  program instead of exiting.
- Set `minReadySeconds` and `progressDeadlineSeconds`, so that a bad version stops rolling out.
', '["crash-loop","restarts","exit-code","cause:unknown","rule:crash_loop"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'crash-loop');

UPDATE runbooks SET service = '*', title = 'A CronJob has missed its time', body = 'By its schedule a Job should have been made, and was not: the CronJob is suspended, or a run that
does not end lets no other begin, or nobody minds the schedule.

Set once: `NS=demo CRON=nightly`.

## Symptoms
- `LAST SCHEDULE` lies further back than the schedule says. No Job is there, so no Job has failed.
- `SUSPEND True`, or `ACTIVE 1` for hours.
- Events `JobAlreadyActive`, `MissSchedule`, `TooManyMissedTimes`, `UnknownTimeZone`.

## Confirm
- What it says: `kubectl -n $NS get cronjob $CRON -o wide` and `kubectl -n $NS describe cronjob $CRON`
- How it is set: `kubectl -n $NS get cronjob $CRON -o jsonpath=''{.spec.suspend}{" "}{.spec.schedule}{" "}{.spec.timeZone}{" "}{.spec.concurrencyPolicy}{" "}{.spec.startingDeadlineSeconds}''`
- Does a run still go on? Newest last: `kubectl -n $NS get jobs --sort-by=.metadata.creationTimestamp`
- Who suspended it, and when: `kubectl -n $NS get cronjob $CRON -o yaml --show-managed-fields | grep -E ''manager|time:|suspend''`
- Only this one? `kubectl get cronjobs -A`. All at once are the control plane.

## Likely causes
1. Somebody suspended it for maintenance and forgot it.
2. One run hangs, and `concurrencyPolicy: Forbid` keeps the next from starting.
3. `startingDeadlineSeconds` is shorter than the controller was away.
4. A `timeZone` that does not exist, or a schedule that means another time than was thought.
5. Its Jobs are refused before they exist. See *pods-refused*, *quota-and-limits*.
6. The control plane was down, or its clock is wrong.

## Steps
1. A run that hangs: see what it waits for: `kubectl -n $NS logs job/<job> --tail=50`
2. End it once you know; its work stops where it is: `kubectl -n $NS delete job <job>`. The next one starts at its time.
3. Suspended: ask who did it and why. Should it go on? `kubectl -n $NS patch cronjob $CRON -p ''{"spec":{"suspend":false}}''`. It makes up for the last missed time at once: is that all right now?
4. Missed times that are given up: let late ones start, too: `kubectl -n $NS patch cronjob $CRON -p ''{"spec":{"startingDeadlineSeconds":600}}''`
5. A wrong time zone or schedule: correct it: `kubectl -n $NS edit cronjob $CRON`
6. What was missed and must not be: `kubectl -n $NS create job $CRON-by-hand --from=cronjob/$CRON`

## Fix
The CronJob on again, or the run that hangs ended; by hand what must not be missed.
Way back: `kubectl -n $NS patch cronjob $CRON -p ''{"spec":{"suspend":true}}''`. A run is not undone.

## Verify
- `LAST SCHEDULE` moves with the schedule: `kubectl -n $NS get cronjob $CRON`
- The new run ends well: `kubectl -n $NS wait --for=condition=complete job/<job> --timeout=10m`

## Prevent
- `activeDeadlineSeconds` in every job template, so that no run hangs for ever.
- Alert on the age of `lastSuccessfulTime`: it sees a suspended CronJob, too.
', tags = '["cronjob","job","schedule","batch","suspend","forbid","cause:cron_job_stopped","rule:cron_job_late"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'cron-job-late';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'cron-job-late', '*', 'A CronJob has missed its time', 'By its schedule a Job should have been made, and was not: the CronJob is suspended, or a run that
does not end lets no other begin, or nobody minds the schedule.

Set once: `NS=demo CRON=nightly`.

## Symptoms
- `LAST SCHEDULE` lies further back than the schedule says. No Job is there, so no Job has failed.
- `SUSPEND True`, or `ACTIVE 1` for hours.
- Events `JobAlreadyActive`, `MissSchedule`, `TooManyMissedTimes`, `UnknownTimeZone`.

## Confirm
- What it says: `kubectl -n $NS get cronjob $CRON -o wide` and `kubectl -n $NS describe cronjob $CRON`
- How it is set: `kubectl -n $NS get cronjob $CRON -o jsonpath=''{.spec.suspend}{" "}{.spec.schedule}{" "}{.spec.timeZone}{" "}{.spec.concurrencyPolicy}{" "}{.spec.startingDeadlineSeconds}''`
- Does a run still go on? Newest last: `kubectl -n $NS get jobs --sort-by=.metadata.creationTimestamp`
- Who suspended it, and when: `kubectl -n $NS get cronjob $CRON -o yaml --show-managed-fields | grep -E ''manager|time:|suspend''`
- Only this one? `kubectl get cronjobs -A`. All at once are the control plane.

## Likely causes
1. Somebody suspended it for maintenance and forgot it.
2. One run hangs, and `concurrencyPolicy: Forbid` keeps the next from starting.
3. `startingDeadlineSeconds` is shorter than the controller was away.
4. A `timeZone` that does not exist, or a schedule that means another time than was thought.
5. Its Jobs are refused before they exist. See *pods-refused*, *quota-and-limits*.
6. The control plane was down, or its clock is wrong.

## Steps
1. A run that hangs: see what it waits for: `kubectl -n $NS logs job/<job> --tail=50`
2. End it once you know; its work stops where it is: `kubectl -n $NS delete job <job>`. The next one starts at its time.
3. Suspended: ask who did it and why. Should it go on? `kubectl -n $NS patch cronjob $CRON -p ''{"spec":{"suspend":false}}''`. It makes up for the last missed time at once: is that all right now?
4. Missed times that are given up: let late ones start, too: `kubectl -n $NS patch cronjob $CRON -p ''{"spec":{"startingDeadlineSeconds":600}}''`
5. A wrong time zone or schedule: correct it: `kubectl -n $NS edit cronjob $CRON`
6. What was missed and must not be: `kubectl -n $NS create job $CRON-by-hand --from=cronjob/$CRON`

## Fix
The CronJob on again, or the run that hangs ended; by hand what must not be missed.
Way back: `kubectl -n $NS patch cronjob $CRON -p ''{"spec":{"suspend":true}}''`. A run is not undone.

## Verify
- `LAST SCHEDULE` moves with the schedule: `kubectl -n $NS get cronjob $CRON`
- The new run ends well: `kubectl -n $NS wait --for=condition=complete job/<job> --timeout=10m`

## Prevent
- `activeDeadlineSeconds` in every job template, so that no run hangs for ever.
- Alert on the age of `lastSuccessfulTime`: it sees a suspended CronJob, too.
', '["cronjob","job","schedule","batch","suspend","forbid","cause:cron_job_stopped","rule:cron_job_late"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'cron-job-late');

UPDATE runbooks SET service = '*', title = 'Something that the program calls is down', body = 'The workload complains, but the cause lies in what it calls. Mend that; restarting the caller only
adds load.

Set once: `NS=demo APP=shop SVC=<the Service that is called>`.

## Symptoms
- The caller logs `connection refused`, resets, timeouts or 5xx that name another host.
- Its readiness probe may fail with it, if its health endpoint asks its dependencies.
- Several callers of the same Service complain at the same moment.

## Confirm
- What the caller says: `kubectl -n $NS logs deployment/$APP --tail=50`
- Who stands behind the Service: `kubectl -n $NS get endpointslices -l kubernetes.io/service-name=$SVC`
- How those pods are: `kubectl -n $NS get pods -l app=$SVC -o wide`
- What they say: `kubectl -n $NS logs -l app=$SVC --tail=50 --prefix`

## Likely causes
1. The dependency crashes, is not ready, or is being rolled out.
2. It is up and overloaded: answers late, or with 503.
3. It lies outside the cluster, and is down or not to be reached from here.
4. It is well and the way to it is not: see *service-unreachable*, *network-policy*, *name-resolution*.

## Steps
1. Open the incident of the dependency, if there is one: its cause is the cause.
2. No ready endpoints: look at its pods: `kubectl -n $NS describe pods -l app=$SVC`
3. It began with its rollout: go back there: `kubectl -n $NS rollout undo deployment/$SVC`
4. It is overloaded: see what grew, then give it more: `kubectl -n $NS scale deployment/$SVC --replicas=3`
5. It is outside: tell its owners, and let the caller degrade instead of failing.
6. Leave the caller as it is. It comes back by itself, or its retries are to be mended later.

## Fix
Whatever heals the dependency. Way back: that of the action taken there.

## Verify
- Its pods are ready, the caller''s log is quiet, and the caller''s own probes pass again.

## Prevent
- Timeouts, retries with back-off and jitter, a circuit breaker. Readiness must not ask for others.
', tags = '["dependency","upstream","connection-refused","timeout","cascade","status-503","cause:dependency_down","rule:error_burst","rule:not_ready","rule:crash_loop"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'dependency-down';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'dependency-down', '*', 'Something that the program calls is down', 'The workload complains, but the cause lies in what it calls. Mend that; restarting the caller only
adds load.

Set once: `NS=demo APP=shop SVC=<the Service that is called>`.

## Symptoms
- The caller logs `connection refused`, resets, timeouts or 5xx that name another host.
- Its readiness probe may fail with it, if its health endpoint asks its dependencies.
- Several callers of the same Service complain at the same moment.

## Confirm
- What the caller says: `kubectl -n $NS logs deployment/$APP --tail=50`
- Who stands behind the Service: `kubectl -n $NS get endpointslices -l kubernetes.io/service-name=$SVC`
- How those pods are: `kubectl -n $NS get pods -l app=$SVC -o wide`
- What they say: `kubectl -n $NS logs -l app=$SVC --tail=50 --prefix`

## Likely causes
1. The dependency crashes, is not ready, or is being rolled out.
2. It is up and overloaded: answers late, or with 503.
3. It lies outside the cluster, and is down or not to be reached from here.
4. It is well and the way to it is not: see *service-unreachable*, *network-policy*, *name-resolution*.

## Steps
1. Open the incident of the dependency, if there is one: its cause is the cause.
2. No ready endpoints: look at its pods: `kubectl -n $NS describe pods -l app=$SVC`
3. It began with its rollout: go back there: `kubectl -n $NS rollout undo deployment/$SVC`
4. It is overloaded: see what grew, then give it more: `kubectl -n $NS scale deployment/$SVC --replicas=3`
5. It is outside: tell its owners, and let the caller degrade instead of failing.
6. Leave the caller as it is. It comes back by itself, or its retries are to be mended later.

## Fix
Whatever heals the dependency. Way back: that of the action taken there.

## Verify
- Its pods are ready, the caller''s log is quiet, and the caller''s own probes pass again.

## Prevent
- Timeouts, retries with back-off and jitter, a circuit breaker. Readiness must not ask for others.
', '["dependency","upstream","connection-refused","timeout","cascade","status-503","cause:dependency_down","rule:error_burst","rule:not_ready","rule:crash_loop"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'dependency-down');

UPDATE runbooks SET service = '*', title = 'New or bursting errors in the log', body = 'An application logs an error it never logged before, or one ten times as often as before. Pods may
be green all the while.

Set once: `NS=demo APP=web`.

## Symptoms
- One error message dominates the log since a certain minute.
- Error rate or latency of the service or of its callers rises.

## Confirm
- Since when, and in how many pods: `kubectl -n $NS logs -l app=$APP --all-containers --prefix --since=10m --tail=-1 | grep -i error | tail -n 50`
- All pods alike, or one only? One: look at its node. All: look at what they share.
- The same error in the callers, or in what it calls? The one that began first is nearer to the cause.

## Likely causes
1. A change of this service: version, configuration, feature switch.
2. Something it depends on is down or slow: `connection refused`, `timeout`, `no such host`, `too many connections`.
3. Credentials or certificates ran out: `401`, `403`, `x509`, `expired`.
4. Bad input: one tenant or one message that is retried for ever.
5. A resource ran out: disk (`no space left on device`), file handles (`too many open files`), quota.

## Steps
1. Read ten of the lines whole, with what stands before them: the first error of a request is the cause, the rest echo it.
2. Look for a change just before the first line: `kubectl -n $NS rollout history deployment/$APP`. Found: go back: `kubectl -n $NS rollout undo deployment/$APP`
3. The message names another service: is that one well? `kubectl -n <its namespace> get pods,endpointslices`. Go on there.
4. Name resolution: `kubectl -n $NS exec deploy/$APP -- nslookup <name>` and `kubectl -n kube-system get pods -l k8s-app=kube-dns`
5. One pod only: take it out of traffic but keep it for study: `kubectl -n $NS label pod <pod> app- quarantine=true` (its ReplicaSet starts another).
6. Bad input: find the id that repeats in the lines; put that message aside.
7. Harmless after all? Say so in the incident, and have the line''s level corrected.

## Fix
Undo the change, or mend what it depends on. Restarting helps only where state inside the process is
spoiled; then say which.

## Verify
- No new line of this template for ten minutes under usual load; error rate and latency as before.

## Prevent
- Alert on the service''s error rate, not on single lines. Time-outs and retries with a bound.
- Watch the expiry of certificates and tokens.
', tags = '["logs","errors","burst","cause:unknown","rule:error_burst"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'error-burst';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'error-burst', '*', 'New or bursting errors in the log', 'An application logs an error it never logged before, or one ten times as often as before. Pods may
be green all the while.

Set once: `NS=demo APP=web`.

## Symptoms
- One error message dominates the log since a certain minute.
- Error rate or latency of the service or of its callers rises.

## Confirm
- Since when, and in how many pods: `kubectl -n $NS logs -l app=$APP --all-containers --prefix --since=10m --tail=-1 | grep -i error | tail -n 50`
- All pods alike, or one only? One: look at its node. All: look at what they share.
- The same error in the callers, or in what it calls? The one that began first is nearer to the cause.

## Likely causes
1. A change of this service: version, configuration, feature switch.
2. Something it depends on is down or slow: `connection refused`, `timeout`, `no such host`, `too many connections`.
3. Credentials or certificates ran out: `401`, `403`, `x509`, `expired`.
4. Bad input: one tenant or one message that is retried for ever.
5. A resource ran out: disk (`no space left on device`), file handles (`too many open files`), quota.

## Steps
1. Read ten of the lines whole, with what stands before them: the first error of a request is the cause, the rest echo it.
2. Look for a change just before the first line: `kubectl -n $NS rollout history deployment/$APP`. Found: go back: `kubectl -n $NS rollout undo deployment/$APP`
3. The message names another service: is that one well? `kubectl -n <its namespace> get pods,endpointslices`. Go on there.
4. Name resolution: `kubectl -n $NS exec deploy/$APP -- nslookup <name>` and `kubectl -n kube-system get pods -l k8s-app=kube-dns`
5. One pod only: take it out of traffic but keep it for study: `kubectl -n $NS label pod <pod> app- quarantine=true` (its ReplicaSet starts another).
6. Bad input: find the id that repeats in the lines; put that message aside.
7. Harmless after all? Say so in the incident, and have the line''s level corrected.

## Fix
Undo the change, or mend what it depends on. Restarting helps only where state inside the process is
spoiled; then say which.

## Verify
- No new line of this template for ten minutes under usual load; error rate and latency as before.

## Prevent
- Alert on the service''s error rate, not on single lines. Time-outs and retries with a bound.
- Watch the expiry of certificates and tokens.
', '["logs","errors","burst","cause:unknown","rule:error_burst"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'error-burst');

UPDATE runbooks SET service = '*', title = 'A pod was evicted', body = 'A kubelet ended a pod: the pod used more storage than it may, or its node ran short of memory or
disk. Its message tells which of the two, and that decides who acts.

Set once: `NS=demo APP=web C=app POD=<the evicted pod>`.

## Symptoms
- Pod `Failed`, reason `Evicted`; its message names what ran short. Its log is mostly gone with it.
- Many evicted pods in a row: the next one fills the same disk.
- Its place stays empty, or nothing makes it again (a pod without a controller).

## Confirm
- Why, and where: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.nodeName}{": "}{.status.message}''`
- How often: `kubectl get pods -A -o wide --field-selector status.phase=Failed`
- What it may use: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.containers[*].resources}{"; "}{.spec.volumes}''`
- The node: `kubectl describe node <node>` (pressure, taints, events)
- Who fills its disk, most first (needs jq): `kubectl get --raw /api/v1/nodes/<node>/proxy/stats/summary | jq -r ''.pods[] | [."ephemeral-storage".usedBytes, .podRef.namespace, .podRef.name] | @tsv'' | sort -rn | head`

## Likely causes
| the message says | means |
|---|---|
| `Usage of EmptyDir volume ... exceeds the limit` | the volume''s `sizeLimit`: it writes without end, or the limit is too low |
| `ephemeral local storage usage exceeds the total limit` | the `ephemeral-storage` limit: log files, caches, temporary files |
| `The node was low on resource: memory` | the node is too full; what uses more than it asks for goes first |
| `The node was low on resource: ephemeral-storage` | images, logs or volumes fill the node''s disk |

## Steps
1. Read the message: the pod''s own limit, or the node''s shortage?
2. Own limit: see what its successor writes: `kubectl -n $NS exec deployment/$APP -c $C -- du -xh -d 2 /tmp /var`
3. Stop that, or give it more: `kubectl -n $NS set resources deployment/$APP -c $C --limits=ephemeral-storage=2Gi`; for a volume raise its `sizeLimit`: `kubectl -n $NS edit deployment/$APP`. What must be kept belongs on a claim.
4. The node''s memory: let the pod ask for what it uses, so that it is not the first to go: `kubectl -n $NS set resources deployment/$APP -c $C --requests=memory=512Mi`
5. The node''s disk: go on with *node-unhealthy*.
6. A pod that nothing makes again: make it again from its manifest, better as a Deployment.
7. Clear the leftovers away once you have read them (failed pods of Jobs go with them): `kubectl -n $NS delete pods --field-selector status.phase=Failed`

## Fix
A limit that fits and less that is written; a request near real use; the node mended.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- Its successor is ready, and has outlived twice the time the evicted one had.
- No new ones: `kubectl get events -A --field-selector reason=Evicted`

## Prevent
- Requests near real use; a limit for `ephemeral-storage`; `sizeLimit` with room on every `emptyDir`.
- Log to standard output: the kubelet rotates that.
', tags = '["eviction","disk","memory","ephemeral-storage","emptydir","pressure","cause:evicted","rule:evicted"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'evicted';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'evicted', '*', 'A pod was evicted', 'A kubelet ended a pod: the pod used more storage than it may, or its node ran short of memory or
disk. Its message tells which of the two, and that decides who acts.

Set once: `NS=demo APP=web C=app POD=<the evicted pod>`.

## Symptoms
- Pod `Failed`, reason `Evicted`; its message names what ran short. Its log is mostly gone with it.
- Many evicted pods in a row: the next one fills the same disk.
- Its place stays empty, or nothing makes it again (a pod without a controller).

## Confirm
- Why, and where: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.nodeName}{": "}{.status.message}''`
- How often: `kubectl get pods -A -o wide --field-selector status.phase=Failed`
- What it may use: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.containers[*].resources}{"; "}{.spec.volumes}''`
- The node: `kubectl describe node <node>` (pressure, taints, events)
- Who fills its disk, most first (needs jq): `kubectl get --raw /api/v1/nodes/<node>/proxy/stats/summary | jq -r ''.pods[] | [."ephemeral-storage".usedBytes, .podRef.namespace, .podRef.name] | @tsv'' | sort -rn | head`

## Likely causes
| the message says | means |
|---|---|
| `Usage of EmptyDir volume ... exceeds the limit` | the volume''s `sizeLimit`: it writes without end, or the limit is too low |
| `ephemeral local storage usage exceeds the total limit` | the `ephemeral-storage` limit: log files, caches, temporary files |
| `The node was low on resource: memory` | the node is too full; what uses more than it asks for goes first |
| `The node was low on resource: ephemeral-storage` | images, logs or volumes fill the node''s disk |

## Steps
1. Read the message: the pod''s own limit, or the node''s shortage?
2. Own limit: see what its successor writes: `kubectl -n $NS exec deployment/$APP -c $C -- du -xh -d 2 /tmp /var`
3. Stop that, or give it more: `kubectl -n $NS set resources deployment/$APP -c $C --limits=ephemeral-storage=2Gi`; for a volume raise its `sizeLimit`: `kubectl -n $NS edit deployment/$APP`. What must be kept belongs on a claim.
4. The node''s memory: let the pod ask for what it uses, so that it is not the first to go: `kubectl -n $NS set resources deployment/$APP -c $C --requests=memory=512Mi`
5. The node''s disk: go on with *node-unhealthy*.
6. A pod that nothing makes again: make it again from its manifest, better as a Deployment.
7. Clear the leftovers away once you have read them (failed pods of Jobs go with them): `kubectl -n $NS delete pods --field-selector status.phase=Failed`

## Fix
A limit that fits and less that is written; a request near real use; the node mended.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- Its successor is ready, and has outlived twice the time the evicted one had.
- No new ones: `kubectl get events -A --field-selector reason=Evicted`

## Prevent
- Requests near real use; a limit for `ephemeral-storage`; `sizeLimit` with room on every `emptyDir`.
- Log to standard output: the kubelet rotates that.
', '["eviction","disk","memory","ephemeral-storage","emptydir","pressure","cause:evicted","rule:evicted"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'evicted');

UPDATE runbooks SET service = '*', title = 'An alert from another system', body = 'Alertmanager or another system says that something is wrong, and none of our own rules sees it (yet).

Set once: `NS=<namespace label> POD=<pod label>`.

## Symptoms
- An incident whose first alert comes from outside: its name, labels and annotations are its evidence.

## Confirm
- Still firing? Open the alert''s link, or ask: `amtool alert query --alertmanager.url=http://alertmanager:9093`
- What it measures: the expression behind it, over the last hours. A step, a slope or a spike?
- Is anything in the cluster unwell in the same place? `kubectl -n $NS get pods -o wide` and `kubectl -n $NS get events --sort-by=.lastTimestamp | tail -n 20`

## Likely causes
1. A warning before a fault: memory near its limit, a disk filling, a certificate about to expire.
2. A fault of something outside the cluster: load balancer, database, DNS, another team''s service.
3. A node: `kubectl describe node $NODE` (conditions, taints, evictions).
4. The alert itself: a changed metric, a threshold that never fitted, missing data.

## Steps
1. Read its annotations; if it has a `runbook_url`, that page outranks this one.
2. Find the place it speaks of: namespace and pod, else node, else service. Mind that labels of an exporter (node-exporter''s own pod) are not the patient.
3. Look at that place: pods, events, changes in the last hour: `kubectl -n $NS get pods -o wide` and `kubectl -n $NS get rs --sort-by=.metadata.creationTimestamp`
4. A node alert: what runs there, and what was killed there? `kubectl get pods -A -o wide --field-selector spec.nodeName=$NODE`
5. Memory near its limit: go on with *oom-killed* before the kill comes.
6. Users not affected and time left: lower its severity here, and hand it over in the morning with what you saw.
7. False alarm: silence it with an end and a reason: `amtool silence add alertname=<name> --duration=2h --comment="<why>" --alertmanager.url=http://alertmanager:9093`

## Fix
What you find in the place it speaks of. A silence is no fix; write down who changes the rule.

## Verify
- The alert resolves by itself in the system that sent it.

## Prevent
- Every alert has a summary, a place (namespace, workload or node) and a runbook. Those that nobody acts on go.
', tags = '["alertmanager","prometheus","external","alert","cause:unknown","rule:external"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'external-alert';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'external-alert', '*', 'An alert from another system', 'Alertmanager or another system says that something is wrong, and none of our own rules sees it (yet).

Set once: `NS=<namespace label> POD=<pod label>`.

## Symptoms
- An incident whose first alert comes from outside: its name, labels and annotations are its evidence.

## Confirm
- Still firing? Open the alert''s link, or ask: `amtool alert query --alertmanager.url=http://alertmanager:9093`
- What it measures: the expression behind it, over the last hours. A step, a slope or a spike?
- Is anything in the cluster unwell in the same place? `kubectl -n $NS get pods -o wide` and `kubectl -n $NS get events --sort-by=.lastTimestamp | tail -n 20`

## Likely causes
1. A warning before a fault: memory near its limit, a disk filling, a certificate about to expire.
2. A fault of something outside the cluster: load balancer, database, DNS, another team''s service.
3. A node: `kubectl describe node $NODE` (conditions, taints, evictions).
4. The alert itself: a changed metric, a threshold that never fitted, missing data.

## Steps
1. Read its annotations; if it has a `runbook_url`, that page outranks this one.
2. Find the place it speaks of: namespace and pod, else node, else service. Mind that labels of an exporter (node-exporter''s own pod) are not the patient.
3. Look at that place: pods, events, changes in the last hour: `kubectl -n $NS get pods -o wide` and `kubectl -n $NS get rs --sort-by=.metadata.creationTimestamp`
4. A node alert: what runs there, and what was killed there? `kubectl get pods -A -o wide --field-selector spec.nodeName=$NODE`
5. Memory near its limit: go on with *oom-killed* before the kill comes.
6. Users not affected and time left: lower its severity here, and hand it over in the morning with what you saw.
7. False alarm: silence it with an end and a reason: `amtool silence add alertname=<name> --duration=2h --comment="<why>" --alertmanager.url=http://alertmanager:9093`

## Fix
What you find in the place it speaks of. A silence is no fix; write down who changes the rule.

## Verify
- The alert resolves by itself in the system that sent it.

## Prevent
- Every alert has a summary, a place (namespace, workload or node) and a runbook. Those that nobody acts on go.
', '["alertmanager","prometheus","external","alert","cause:unknown","rule:external"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'external-alert');

UPDATE runbooks SET service = '*', title = 'An image cannot be pulled', body = 'The kubelet cannot get the image that a container asks for. The container never starts.

Set once: `NS=demo APP=web C=app POD=<the waiting pod>`.

## Symptoms
- Status `ErrImagePull`, then `ImagePullBackOff`; `InvalidImageName`; `ErrImageNeverPull`.
- A rollout stands still with old pods still serving; after a node was replaced, pods that always
  ran may fail as well.

## Confirm
- The registry''s own words: `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.containerStatuses[*]}{.name}{": "}{.state.waiting.reason}{" "}{.state.waiting.message}{"; "}{end}''`
- The exact name asked for: `kubectl -n $NS get deployment $APP -o jsonpath=''{.spec.template.spec.containers[*].image}''`
- The names it had before, oldest first: `kubectl -n $NS get rs -l app=$APP --sort-by=.metadata.creationTimestamp -o ''custom-columns=NAME:.metadata.name,CREATED:.metadata.creationTimestamp,IMAGE:.spec.template.spec.containers[*].image''`

## Likely causes
| the message says | means |
|---|---|
| `not found`, `manifest unknown` | the tag does not exist: a typing error, a build that failed, a tag cleaned up |
| `unauthorized`, `denied`, `pull access denied` | no or wrong `imagePullSecrets`, an expired token, or a private repository that does not exist |
| event `FailedToRetrieveImagePullSecret` | the pull secret it names does not exist in this namespace |
| `i/o timeout`, `no such host`, `connection refused` | network, proxy or DNS of the node, or the registry is down |
| `toomanyrequests` | rate limit of the registry |
| `no match for platform` | the image is not built for this node''s architecture |
| `InvalidImageName` | the name itself cannot be parsed |
| `ErrImageNeverPull` | `imagePullPolicy: Never` and the image is not on that node |

## Steps
1. Read the message above and take the matching row.
2. Is the old version still serving? `kubectl -n $NS get pods -l app=$APP`. Then there is time: nothing is down yet.
3. Wrong or missing tag, and a version that worked is known: go back: `kubectl -n $NS rollout undo deployment/$APP`
4. The right tag is known: set it: `kubectl -n $NS set image deployment/$APP $C=<registry>/<name>:<tag>`
5. Not allowed: does the pull secret exist, and is it named? `kubectl -n $NS get deployment $APP -o jsonpath=''{.spec.template.spec.imagePullSecrets}''` and `kubectl -n $NS get secret`. Renew it where it is kept, then `kubectl -n $NS delete pod $POD`.
6. Network or registry: is it one node only? `kubectl get pods -A -o wide --field-selector status.phase=Pending`. Cordon a node that cannot pull: `kubectl cordon $NODE`
7. Tell who owns the pipeline: a deploy must not point to a tag before the push has ended.

## Fix
The image name before (rollback), or the right one. Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=180s` ends well.
- No pod waits: `kubectl -n $NS get pods -l app=$APP`

## Prevent
- Deploy by digest; let the pipeline check that the image can be pulled before it deploys.
- Keep images that are still deployed. Mirror what comes from outside. Alert on the expiry of tokens.
', tags = '["image","registry","image-pull-back-off","cause:image_missing","rule:image_pull"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'image-pull';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'image-pull', '*', 'An image cannot be pulled', 'The kubelet cannot get the image that a container asks for. The container never starts.

Set once: `NS=demo APP=web C=app POD=<the waiting pod>`.

## Symptoms
- Status `ErrImagePull`, then `ImagePullBackOff`; `InvalidImageName`; `ErrImageNeverPull`.
- A rollout stands still with old pods still serving; after a node was replaced, pods that always
  ran may fail as well.

## Confirm
- The registry''s own words: `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.containerStatuses[*]}{.name}{": "}{.state.waiting.reason}{" "}{.state.waiting.message}{"; "}{end}''`
- The exact name asked for: `kubectl -n $NS get deployment $APP -o jsonpath=''{.spec.template.spec.containers[*].image}''`
- The names it had before, oldest first: `kubectl -n $NS get rs -l app=$APP --sort-by=.metadata.creationTimestamp -o ''custom-columns=NAME:.metadata.name,CREATED:.metadata.creationTimestamp,IMAGE:.spec.template.spec.containers[*].image''`

## Likely causes
| the message says | means |
|---|---|
| `not found`, `manifest unknown` | the tag does not exist: a typing error, a build that failed, a tag cleaned up |
| `unauthorized`, `denied`, `pull access denied` | no or wrong `imagePullSecrets`, an expired token, or a private repository that does not exist |
| event `FailedToRetrieveImagePullSecret` | the pull secret it names does not exist in this namespace |
| `i/o timeout`, `no such host`, `connection refused` | network, proxy or DNS of the node, or the registry is down |
| `toomanyrequests` | rate limit of the registry |
| `no match for platform` | the image is not built for this node''s architecture |
| `InvalidImageName` | the name itself cannot be parsed |
| `ErrImageNeverPull` | `imagePullPolicy: Never` and the image is not on that node |

## Steps
1. Read the message above and take the matching row.
2. Is the old version still serving? `kubectl -n $NS get pods -l app=$APP`. Then there is time: nothing is down yet.
3. Wrong or missing tag, and a version that worked is known: go back: `kubectl -n $NS rollout undo deployment/$APP`
4. The right tag is known: set it: `kubectl -n $NS set image deployment/$APP $C=<registry>/<name>:<tag>`
5. Not allowed: does the pull secret exist, and is it named? `kubectl -n $NS get deployment $APP -o jsonpath=''{.spec.template.spec.imagePullSecrets}''` and `kubectl -n $NS get secret`. Renew it where it is kept, then `kubectl -n $NS delete pod $POD`.
6. Network or registry: is it one node only? `kubectl get pods -A -o wide --field-selector status.phase=Pending`. Cordon a node that cannot pull: `kubectl cordon $NODE`
7. Tell who owns the pipeline: a deploy must not point to a tag before the push has ended.

## Fix
The image name before (rollback), or the right one. Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=180s` ends well.
- No pod waits: `kubectl -n $NS get pods -l app=$APP`

## Prevent
- Deploy by digest; let the pipeline check that the image can be pulled before it deploys.
- Keep images that are still deployed. Mirror what comes from outside. Alert on the expiry of tokens.
', '["image","registry","image-pull-back-off","cause:image_missing","rule:image_pull"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'image-pull');

UPDATE runbooks SET service = '*', title = 'An init container fails', body = 'Init containers run one after the other before the others start. One that ends badly is started
again, with a longer pause each time, and the pod stays where it is.

Set once: `NS=demo APP=web INIT=migrate POD=<the failing pod>`.

## Symptoms
- Pod `Init:Error` or `Init:CrashLoopBackOff`; the main containers wait (`PodInitializing`).
- `Init:0/1` for minutes: it has not ended at all; it waits for something.

## Confirm
- Which one, and how it ended: `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.initContainerStatuses[*]}{.name}{" restarts="}{.restartCount}{" "}{.state}{"; "}{end}''`
- Its own log (without `-c` you get the main container''s): `kubectl -n $NS logs $POD -c $INIT --tail=50`
- What it runs: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.initContainers[*].command}{.spec.initContainers[*].args}''`

## Likely causes
1. A migration that fails: rights, a schema that is further on, a lock that another holds.
2. Something it needs is not there yet, or has another name or port.
3. A setting it reads is missing: it has its own variables, not those of the main container.
4. It was killed for memory: its limit is its own too.

## Steps
1. Read its log to the end: the last line is the cause in most cases.
2. Did a rollout bring it in? `kubectl -n $NS rollout undo deployment/$APP` lets the old pods go on meanwhile.
3. It waits for a name: try it: `kubectl -n $NS run try --rm -it --restart=Never --image=busybox -- nslookup <name>`
4. A migration: see how far it came before you let it run again; is it safe to run twice?
5. Correct it and roll it out again: `kubectl -n $NS rollout status deployment/$APP --timeout=180s`

## Fix
What its last words name; going back where it was brought in just now.
Way back: `kubectl -n $NS rollout undo deployment/$APP`. A migration that ran is not undone by it.

## Verify
- `kubectl -n $NS get pods -l app=$APP` shows the pods ready.

## Prevent
- Run migrations as a Job of their own, before the rollout.
- Let an init container that waits give up, with a line that says for what it waited.
', tags = '["init","start","migration","cause:init_container_fails","rule:crash_loop","rule:not_ready"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'init-container';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'init-container', '*', 'An init container fails', 'Init containers run one after the other before the others start. One that ends badly is started
again, with a longer pause each time, and the pod stays where it is.

Set once: `NS=demo APP=web INIT=migrate POD=<the failing pod>`.

## Symptoms
- Pod `Init:Error` or `Init:CrashLoopBackOff`; the main containers wait (`PodInitializing`).
- `Init:0/1` for minutes: it has not ended at all; it waits for something.

## Confirm
- Which one, and how it ended: `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.initContainerStatuses[*]}{.name}{" restarts="}{.restartCount}{" "}{.state}{"; "}{end}''`
- Its own log (without `-c` you get the main container''s): `kubectl -n $NS logs $POD -c $INIT --tail=50`
- What it runs: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.initContainers[*].command}{.spec.initContainers[*].args}''`

## Likely causes
1. A migration that fails: rights, a schema that is further on, a lock that another holds.
2. Something it needs is not there yet, or has another name or port.
3. A setting it reads is missing: it has its own variables, not those of the main container.
4. It was killed for memory: its limit is its own too.

## Steps
1. Read its log to the end: the last line is the cause in most cases.
2. Did a rollout bring it in? `kubectl -n $NS rollout undo deployment/$APP` lets the old pods go on meanwhile.
3. It waits for a name: try it: `kubectl -n $NS run try --rm -it --restart=Never --image=busybox -- nslookup <name>`
4. A migration: see how far it came before you let it run again; is it safe to run twice?
5. Correct it and roll it out again: `kubectl -n $NS rollout status deployment/$APP --timeout=180s`

## Fix
What its last words name; going back where it was brought in just now.
Way back: `kubectl -n $NS rollout undo deployment/$APP`. A migration that ran is not undone by it.

## Verify
- `kubectl -n $NS get pods -l app=$APP` shows the pods ready.

## Prevent
- Run migrations as a Job of their own, before the rollout.
- Let an init container that waits give up, with a line that says for what it waited.
', '["init","start","migration","cause:init_container_fails","rule:crash_loop","rule:not_ready"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'init-container');

UPDATE runbooks SET service = '*', title = 'A Job has failed', body = 'Work that should have been done once was not. A Job gives up after `backoffLimit` failures or at its
deadline; then nothing tries again by itself.

Set once: `NS=demo JOB=nightly-28123 CRON=nightly`.

## Symptoms
- Condition `Failed`: `BackoffLimitExceeded` (it failed too often), `DeadlineExceeded` (it took too
  long), `PodFailurePolicy`.
- Of a CronJob: `status.lastSuccessfulTime` stays behind `status.lastScheduleTime`.
- What the Job should have made is old or missing.

## Confirm
- Why: `kubectl -n $NS get job $JOB -o jsonpath=''{range .status.conditions[*]}{.type}{" "}{.reason}{" "}{.message}{"; "}{end}''`
- What its pods said: `kubectl -n $NS logs -l batch.kubernetes.io/job-name=$JOB --tail=50 --prefix`
- How they ended: `kubectl -n $NS get pods -l batch.kubernetes.io/job-name=$JOB -o jsonpath=''{range .items[*]}{.metadata.name}{" "}{.status.reason}{" "}{.status.containerStatuses[*].state.terminated}{"; "}{end}''`
- Did the run before succeed, and what changed since? `kubectl -n $NS get jobs --sort-by=.metadata.creationTimestamp`

## Likely causes
1. The program: a wrong argument, bad input, a new image.
2. Something it needs: a database, a name, a Secret, a volume, a right. Then that is what to solve.
3. Memory: `OOMKilled`, exit code 137. See *oom-killed*.
4. Time: `activeDeadlineSeconds` is shorter than the work; more data than before, or it waits for something.
5. A node that went away under it, with a `backoffLimit` of 0.

## Steps
1. Read the log of the last pod before it is cleaned up. Exit codes above 128 are signals: 137 is KILL, 143 TERM.
2. Solve what it says first: a Job that is run again fails the same way.
3. Was part of the work done? Find out whether it is safe to run twice before you run it again.
4. Correct the cause where the Job comes from. The pod template of a Job cannot be changed; that of a CronJob can, for its next Jobs: `kubectl -n $NS edit cronjob $CRON`
5. Too little time, or too few tries at something shaky: raise `activeDeadlineSeconds` or `backoffLimit` there, too. A Job that has failed stays so, and its template cannot be changed: it is made anew.
6. Run it again: `kubectl -n $NS create job $JOB-again --from=cronjob/$CRON`. A lone Job is deleted and made anew: `kubectl -n $NS delete job $JOB`, then `kubectl -n $NS apply -f <its manifest>`

## Fix
What made its pods fail, then one run by hand. A run is not undone: what it wrote stays.

## Verify
- `kubectl -n $NS wait --for=condition=complete job/$JOB-again --timeout=10m`
- What it should make is there, and new.

## Prevent
- Work that may be run twice without harm.
- A deadline from measured time with room, requests and limits from measured use.
- Alert on the age of `lastSuccessfulTime`, not on single failures.
', tags = '["job","cronjob","batch","backoff","deadline","cause:job_fails","rule:job_failed"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'job-failed';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'job-failed', '*', 'A Job has failed', 'Work that should have been done once was not. A Job gives up after `backoffLimit` failures or at its
deadline; then nothing tries again by itself.

Set once: `NS=demo JOB=nightly-28123 CRON=nightly`.

## Symptoms
- Condition `Failed`: `BackoffLimitExceeded` (it failed too often), `DeadlineExceeded` (it took too
  long), `PodFailurePolicy`.
- Of a CronJob: `status.lastSuccessfulTime` stays behind `status.lastScheduleTime`.
- What the Job should have made is old or missing.

## Confirm
- Why: `kubectl -n $NS get job $JOB -o jsonpath=''{range .status.conditions[*]}{.type}{" "}{.reason}{" "}{.message}{"; "}{end}''`
- What its pods said: `kubectl -n $NS logs -l batch.kubernetes.io/job-name=$JOB --tail=50 --prefix`
- How they ended: `kubectl -n $NS get pods -l batch.kubernetes.io/job-name=$JOB -o jsonpath=''{range .items[*]}{.metadata.name}{" "}{.status.reason}{" "}{.status.containerStatuses[*].state.terminated}{"; "}{end}''`
- Did the run before succeed, and what changed since? `kubectl -n $NS get jobs --sort-by=.metadata.creationTimestamp`

## Likely causes
1. The program: a wrong argument, bad input, a new image.
2. Something it needs: a database, a name, a Secret, a volume, a right. Then that is what to solve.
3. Memory: `OOMKilled`, exit code 137. See *oom-killed*.
4. Time: `activeDeadlineSeconds` is shorter than the work; more data than before, or it waits for something.
5. A node that went away under it, with a `backoffLimit` of 0.

## Steps
1. Read the log of the last pod before it is cleaned up. Exit codes above 128 are signals: 137 is KILL, 143 TERM.
2. Solve what it says first: a Job that is run again fails the same way.
3. Was part of the work done? Find out whether it is safe to run twice before you run it again.
4. Correct the cause where the Job comes from. The pod template of a Job cannot be changed; that of a CronJob can, for its next Jobs: `kubectl -n $NS edit cronjob $CRON`
5. Too little time, or too few tries at something shaky: raise `activeDeadlineSeconds` or `backoffLimit` there, too. A Job that has failed stays so, and its template cannot be changed: it is made anew.
6. Run it again: `kubectl -n $NS create job $JOB-again --from=cronjob/$CRON`. A lone Job is deleted and made anew: `kubectl -n $NS delete job $JOB`, then `kubectl -n $NS apply -f <its manifest>`

## Fix
What made its pods fail, then one run by hand. A run is not undone: what it wrote stays.

## Verify
- `kubectl -n $NS wait --for=condition=complete job/$JOB-again --timeout=10m`
- What it should make is there, and new.

## Prevent
- Work that may be run twice without harm.
- A deadline from measured time with room, requests and limits from measured use.
- Alert on the age of `lastSuccessfulTime`, not on single failures.
', '["job","cronjob","batch","backoff","deadline","cause:job_fails","rule:job_failed"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'job-failed');

UPDATE runbooks SET service = '*', title = 'Memory grows until the container is killed (leak)', body = 'Memory grows steadily under steady load, is never given back, and a higher limit only puts off the
next kill.

Set once: `NS=demo APP=oom-demo C=app POD=<the failing pod>`.

## Symptoms
- `OOMKilled` again and again, at intervals that grow with the limit.
- The memory chart is a saw: a straight climb, a kill, the same climb.
- Latency rises before each kill (garbage collection, paging of caches).

## Confirm
- Same slope in every life and on every replica, whatever the load: it is a leak. A climb that bends
  and levels off is a warm-up or a cache: see *oom-killed*.
- Times of the kills:
  `kubectl -n $NS get pods -l app=$APP -o jsonpath=''{range .items[*]}{.metadata.name}{" "}{.status.containerStatuses[0].restartCount}{" "}{.status.containerStatuses[0].lastState.terminated.finishedAt}{"; "}{end}''`
- Usage now, three times a minute apart: `kubectl -n $NS top pod -l app=$APP --containers`
- Since when: `kubectl -n $NS rollout history deployment/$APP`

## Likely causes
1. A new version: the slope began with a rollout.
2. A cache or a queue without a bound; connections or listeners that are never closed.
3. Input that grew: more tenants, larger batches, a consumer that fell behind.

## Steps
1. If the slope began with a rollout, go back to the version before it: `kubectl -n $NS rollout undo deployment/$APP`
2. If it did not, buy time and say how much: limit minus present use, divided by the slope, is what a raise buys. `kubectl -n $NS set resources deployment/$APP -c $C --limits=memory=128Mi`
3. Take a heap profile before the next kill, from the oldest pod: `kubectl -n $NS exec $POD -c $C -- <the runtime''s profiler>` (Go: `/debug/pprof/heap`; JVM: `jcmd 1 GC.heap_dump /tmp/heap.hprof`; Node.js: `kill -USR2 1` where heap snapshots are switched on).
4. Copy it out at once, it dies with the pod: `kubectl -n $NS cp $POD:/tmp/heap.hprof ./heap.hprof -c $C`
5. Until the fix is out, restart on your own terms, one pod at a time: `kubectl -n $NS rollout restart deployment/$APP`
6. Give the owners the profile, the slope and the version it began with.

## Fix
The program, or the version before. A higher limit is a stopgap: write down how long it buys, and who
takes it back.

## Verify
- After a rollback: the chart is level for at least twice the earlier life.
- After a raise: it will be killed again; the time that you computed is the deadline.

## Prevent
- Bound every cache and queue. Alert on a slope (`deriv` of the working set over an hour), not only on a level.
- Soak-test releases for longer than they live between two deploys.
', tags = '["memory","leak","oom","limits","cause:memory_leak","rule:oom_killed"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'memory-leak';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'memory-leak', '*', 'Memory grows until the container is killed (leak)', 'Memory grows steadily under steady load, is never given back, and a higher limit only puts off the
next kill.

Set once: `NS=demo APP=oom-demo C=app POD=<the failing pod>`.

## Symptoms
- `OOMKilled` again and again, at intervals that grow with the limit.
- The memory chart is a saw: a straight climb, a kill, the same climb.
- Latency rises before each kill (garbage collection, paging of caches).

## Confirm
- Same slope in every life and on every replica, whatever the load: it is a leak. A climb that bends
  and levels off is a warm-up or a cache: see *oom-killed*.
- Times of the kills:
  `kubectl -n $NS get pods -l app=$APP -o jsonpath=''{range .items[*]}{.metadata.name}{" "}{.status.containerStatuses[0].restartCount}{" "}{.status.containerStatuses[0].lastState.terminated.finishedAt}{"; "}{end}''`
- Usage now, three times a minute apart: `kubectl -n $NS top pod -l app=$APP --containers`
- Since when: `kubectl -n $NS rollout history deployment/$APP`

## Likely causes
1. A new version: the slope began with a rollout.
2. A cache or a queue without a bound; connections or listeners that are never closed.
3. Input that grew: more tenants, larger batches, a consumer that fell behind.

## Steps
1. If the slope began with a rollout, go back to the version before it: `kubectl -n $NS rollout undo deployment/$APP`
2. If it did not, buy time and say how much: limit minus present use, divided by the slope, is what a raise buys. `kubectl -n $NS set resources deployment/$APP -c $C --limits=memory=128Mi`
3. Take a heap profile before the next kill, from the oldest pod: `kubectl -n $NS exec $POD -c $C -- <the runtime''s profiler>` (Go: `/debug/pprof/heap`; JVM: `jcmd 1 GC.heap_dump /tmp/heap.hprof`; Node.js: `kill -USR2 1` where heap snapshots are switched on).
4. Copy it out at once, it dies with the pod: `kubectl -n $NS cp $POD:/tmp/heap.hprof ./heap.hprof -c $C`
5. Until the fix is out, restart on your own terms, one pod at a time: `kubectl -n $NS rollout restart deployment/$APP`
6. Give the owners the profile, the slope and the version it began with.

## Fix
The program, or the version before. A higher limit is a stopgap: write down how long it buys, and who
takes it back.

## Verify
- After a rollback: the chart is level for at least twice the earlier life.
- After a raise: it will be killed again; the time that you computed is the deadline.

## Prevent
- Bound every cache and queue. Alert on a slope (`deriv` of the working set over an hour), not only on a level.
- Soak-test releases for longer than they live between two deploys.
', '["memory","leak","oom","limits","cause:memory_leak","rule:oom_killed"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'memory-leak');

UPDATE runbooks SET service = '*', title = 'A volume in memory fills the container''s memory limit', body = 'An `emptyDir` with `medium: Memory` is a file system in RAM. What is written there counts as memory
of the container that wrote it, so a cache or a scratch file gets it OOM-killed.

Set once: `NS=demo APP=web C=app POD=<the pod>`.

## Symptoms
- `OOMKilled` although the program''s own heap is small; often while it writes files.
- The files stay when the container is restarted: the next life begins with a full volume.

## Confirm
- The volumes and their size limits: `kubectl -n $NS get pod $POD -o jsonpath=''{range .spec.volumes[?(@.emptyDir)]}{.name}{" "}{.emptyDir}{"; "}{end}''`
- Where they are mounted: `kubectl -n $NS get pod $POD -o jsonpath=''{range .spec.containers[*]}{.name}{" "}{.volumeMounts}{" "}{.resources.limits}{"; "}{end}''`
- What lies there: `kubectl -n $NS exec $POD -c $C -- df -h` and `kubectl -n $NS exec $POD -c $C -- du -sh /cache`

## Likely causes
1. The volume''s `sizeLimit` is as large as the memory limit, or larger.
2. It has no `sizeLimit`: then only the pod''s limits bound it.
3. Nobody cleans the cache up.

## Steps
1. Add up: memory of the program plus what the volume may hold must be below the limit.
2. Empty it to get air: `kubectl -n $NS delete pod $POD` (a new pod begins with an empty volume).
3. Raise the limit to hold both: `kubectl -n $NS set resources deployment/$APP -c $C --limits=memory=96Mi`
4. Or make it smaller, where the program can live with `No space left on device`: set `sizeLimit` in the manifest.
5. Or let it lie on disk: take `medium: Memory` away, if speed does not matter.

## Fix
A memory limit for program and volume together, or a volume with a size that leaves room.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- No restart while the volume fills up to its size; `df -h` shows that size.

## Prevent
- Give every volume in memory a `sizeLimit`, and count it into the limit in the same review.
', tags = '["memory","oom","tmpfs","emptydir","medium-memory","shm","cause:memory_volume","rule:oom_killed"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'memory-volume';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'memory-volume', '*', 'A volume in memory fills the container''s memory limit', 'An `emptyDir` with `medium: Memory` is a file system in RAM. What is written there counts as memory
of the container that wrote it, so a cache or a scratch file gets it OOM-killed.

Set once: `NS=demo APP=web C=app POD=<the pod>`.

## Symptoms
- `OOMKilled` although the program''s own heap is small; often while it writes files.
- The files stay when the container is restarted: the next life begins with a full volume.

## Confirm
- The volumes and their size limits: `kubectl -n $NS get pod $POD -o jsonpath=''{range .spec.volumes[?(@.emptyDir)]}{.name}{" "}{.emptyDir}{"; "}{end}''`
- Where they are mounted: `kubectl -n $NS get pod $POD -o jsonpath=''{range .spec.containers[*]}{.name}{" "}{.volumeMounts}{" "}{.resources.limits}{"; "}{end}''`
- What lies there: `kubectl -n $NS exec $POD -c $C -- df -h` and `kubectl -n $NS exec $POD -c $C -- du -sh /cache`

## Likely causes
1. The volume''s `sizeLimit` is as large as the memory limit, or larger.
2. It has no `sizeLimit`: then only the pod''s limits bound it.
3. Nobody cleans the cache up.

## Steps
1. Add up: memory of the program plus what the volume may hold must be below the limit.
2. Empty it to get air: `kubectl -n $NS delete pod $POD` (a new pod begins with an empty volume).
3. Raise the limit to hold both: `kubectl -n $NS set resources deployment/$APP -c $C --limits=memory=96Mi`
4. Or make it smaller, where the program can live with `No space left on device`: set `sizeLimit` in the manifest.
5. Or let it lie on disk: take `medium: Memory` away, if speed does not matter.

## Fix
A memory limit for program and volume together, or a volume with a size that leaves room.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- No restart while the volume fills up to its size; `df -h` shows that size.

## Prevent
- Give every volume in memory a `sizeLimit`, and count it into the limit in the same review.
', '["memory","oom","tmpfs","emptydir","medium-memory","shm","cause:memory_volume","rule:oom_killed"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'memory-volume');

UPDATE runbooks SET service = '*', title = 'A name does not resolve (no such host, NXDOMAIN, bad address)', body = 'A program asks for a host that its name server does not know. Mostly the name is wrong; sometimes
the pod asks the wrong server, or the cluster''s own is down.

Set once: `NS=demo APP=shop POD=<the failing pod> NAME=<the name in the log>`.

## Symptoms
- The log says `no such host`, `bad address`, `Name or service not known`, `ENOTFOUND`,
  `UnknownHostException`, `Could not resolve host`.
- `server misbehaving`, `Temporary failure in name resolution`, `i/o timeout` on port 53: the server
  itself did not answer, which says nothing about the name.

## Confirm
- Is there such a Service, anywhere: `kubectl get services -A | grep -i "$NAME"`
- Whom the pod asks: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.dnsPolicy}{" "}{.spec.dnsConfig}{" hostNetwork="}{.spec.hostNetwork}''`
- The same question from beside it: `kubectl -n $NS run ask --rm -it --restart=Never --image=busybox:1.35 -- nslookup $NAME`
- Is the cluster''s name server well: `kubectl -n kube-system get pods -l k8s-app=kube-dns`

## Likely causes
1. A slip of the pen in the Service''s name, in a variable or a ConfigMap.
2. The Service lies in another namespace: `api` must be `api.shop` then.
3. `dnsPolicy: Default`, or `hostNetwork: true` with `ClusterFirst`: the pod asks the node''s servers.
4. `dnsPolicy: None` with search domains that lack `<namespace>.svc.cluster.local`.
5. A network policy that does not let the pod ask on port 53. See *network-policy*.
6. CoreDNS is down or overloaded: then everybody complains, not one workload.

## Steps
1. Is it one name or every name? Every name and every pod: go to CoreDNS: `kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50`
2. One name: compare it letter by letter with `kubectl -n $NS get services`.
3. Find where it stands: `kubectl -n $NS set env deployment/$APP --list` and `kubectl -n $NS get configmaps -o name`
4. Correct a variable: `kubectl -n $NS set env deployment/$APP -c app API_URL=http://api/`
5. Correct a ConfigMap where it is kept, then restart its readers: `kubectl -n $NS rollout restart deployment/$APP`
6. The pod''s own DNS settings: `kubectl -n $NS patch deployment $APP --type=strategic -p ''{"spec":{"template":{"spec":{"dnsPolicy":"ClusterFirst","dnsConfig":null}}}}''` (`ClusterFirstWithHostNet` on the host''s network).

## Fix
The right name where the wrong one stands, or the DNS policy that asks the cluster''s server.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=120s`, and the log does not repeat the line.

## Prevent
- Take addresses from one place that the deployment checks. Prefer `service.namespace` to bare names across teams.
', tags = '["dns","name","resolve","nxdomain","no-such-host","dnspolicy","coredns","cause:name_not_resolved","rule:error_burst","rule:crash_loop","rule:not_ready"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'name-resolution';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'name-resolution', '*', 'A name does not resolve (no such host, NXDOMAIN, bad address)', 'A program asks for a host that its name server does not know. Mostly the name is wrong; sometimes
the pod asks the wrong server, or the cluster''s own is down.

Set once: `NS=demo APP=shop POD=<the failing pod> NAME=<the name in the log>`.

## Symptoms
- The log says `no such host`, `bad address`, `Name or service not known`, `ENOTFOUND`,
  `UnknownHostException`, `Could not resolve host`.
- `server misbehaving`, `Temporary failure in name resolution`, `i/o timeout` on port 53: the server
  itself did not answer, which says nothing about the name.

## Confirm
- Is there such a Service, anywhere: `kubectl get services -A | grep -i "$NAME"`
- Whom the pod asks: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.dnsPolicy}{" "}{.spec.dnsConfig}{" hostNetwork="}{.spec.hostNetwork}''`
- The same question from beside it: `kubectl -n $NS run ask --rm -it --restart=Never --image=busybox:1.35 -- nslookup $NAME`
- Is the cluster''s name server well: `kubectl -n kube-system get pods -l k8s-app=kube-dns`

## Likely causes
1. A slip of the pen in the Service''s name, in a variable or a ConfigMap.
2. The Service lies in another namespace: `api` must be `api.shop` then.
3. `dnsPolicy: Default`, or `hostNetwork: true` with `ClusterFirst`: the pod asks the node''s servers.
4. `dnsPolicy: None` with search domains that lack `<namespace>.svc.cluster.local`.
5. A network policy that does not let the pod ask on port 53. See *network-policy*.
6. CoreDNS is down or overloaded: then everybody complains, not one workload.

## Steps
1. Is it one name or every name? Every name and every pod: go to CoreDNS: `kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50`
2. One name: compare it letter by letter with `kubectl -n $NS get services`.
3. Find where it stands: `kubectl -n $NS set env deployment/$APP --list` and `kubectl -n $NS get configmaps -o name`
4. Correct a variable: `kubectl -n $NS set env deployment/$APP -c app API_URL=http://api/`
5. Correct a ConfigMap where it is kept, then restart its readers: `kubectl -n $NS rollout restart deployment/$APP`
6. The pod''s own DNS settings: `kubectl -n $NS patch deployment $APP --type=strategic -p ''{"spec":{"template":{"spec":{"dnsPolicy":"ClusterFirst","dnsConfig":null}}}}''` (`ClusterFirstWithHostNet` on the host''s network).

## Fix
The right name where the wrong one stands, or the DNS policy that asks the cluster''s server.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS rollout status deployment/$APP --timeout=120s`, and the log does not repeat the line.

## Prevent
- Take addresses from one place that the deployment checks. Prefer `service.namespace` to bare names across teams.
', '["dns","name","resolve","nxdomain","no-such-host","dnspolicy","coredns","cause:name_not_resolved","rule:error_burst","rule:crash_loop","rule:not_ready"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'name-resolution');

UPDATE runbooks SET service = '*', title = 'A network policy blocks a connection', body = 'A pod that any NetworkPolicy selects may only do what some policy allows. Most networks drop what is
not allowed, so callers see timeouts and not refusals.

What may talk to what is a decision about security: the co-pilot shows the rule that is missing and
does not write it. It judges from the specs; whether your network enforces policies it cannot see.

Set once: `NS=demo APP=shop POD=<the calling pod> TO=<the pod that is called> PORT=8080`.

## Symptoms
- `i/o timeout`, `context deadline exceeded`, `ETIMEDOUT` at the caller; the called pods are ready.
- Names do not resolve in one workload only: its egress does not let it ask on port 53.
- Liveness and readiness probes pass: a node may always reach its own pods.

## Confirm
- The policies: `kubectl -n $NS get networkpolicies -o custom-columns=NAME:.metadata.name,PODS:.spec.podSelector,TYPES:.spec.policyTypes`
- One of them in words: `kubectl -n $NS describe networkpolicy <name>`
- Labels of both ends: `kubectl -n $NS get pods $POD $TO --show-labels`
- The namespace''s labels, where a rule selects namespaces: `kubectl get namespace $NS --show-labels`

## Likely causes
1. A deny-all policy was added without the rules that let the needed flows through.
2. A policy lists the Service''s port. Policies see the pod''s port (`targetPort`).
3. Labels of caller or callee changed, and the policy selects the old ones.
4. Egress was restricted and port 53 to kube-dns forgotten.

## Steps
1. Find the policies that select the called pod (Ingress) and the calling pod (Egress). Each end needs a rule that lets this flow through.
2. Look what changed lately: `kubectl -n $NS get networkpolicies --sort-by=.metadata.creationTimestamp`
3. Ask whoever owns the policy. If it was a mistake of the last minutes, take the change back where it came from.
4. Write the narrowest rule: from these pods, to this port. Check it first: `kubectl -n $NS apply --dry-run=server -f policy.yaml`
5. Apply it through the policy''s own repository and review.

## Fix
```yaml
ingress:
- from: [{podSelector: {matchLabels: {app: shop}}}]
  ports: [{protocol: TCP, port: 8080}]
```
and for names, in a policy with Egress:
```yaml
egress:
- to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
  ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
```
Way back: `kubectl -n $NS apply -f` the policy as it was. Never delete a deny-all policy to make a light green.

## Verify
- From the caller: `kubectl -n $NS exec $POD -- wget -q -T 3 -O- http://api/` answers.
- What should stay shut is still shut.

## Prevent
- Keep policies beside the workloads they speak of, and test a needed flow after each change.
', tags = '["network-policy","networkpolicy","timeout","egress","ingress","dns","cause:network_policy_blocks","rule:error_burst","rule:not_ready","rule:crash_loop"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'network-policy';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'network-policy', '*', 'A network policy blocks a connection', 'A pod that any NetworkPolicy selects may only do what some policy allows. Most networks drop what is
not allowed, so callers see timeouts and not refusals.

What may talk to what is a decision about security: the co-pilot shows the rule that is missing and
does not write it. It judges from the specs; whether your network enforces policies it cannot see.

Set once: `NS=demo APP=shop POD=<the calling pod> TO=<the pod that is called> PORT=8080`.

## Symptoms
- `i/o timeout`, `context deadline exceeded`, `ETIMEDOUT` at the caller; the called pods are ready.
- Names do not resolve in one workload only: its egress does not let it ask on port 53.
- Liveness and readiness probes pass: a node may always reach its own pods.

## Confirm
- The policies: `kubectl -n $NS get networkpolicies -o custom-columns=NAME:.metadata.name,PODS:.spec.podSelector,TYPES:.spec.policyTypes`
- One of them in words: `kubectl -n $NS describe networkpolicy <name>`
- Labels of both ends: `kubectl -n $NS get pods $POD $TO --show-labels`
- The namespace''s labels, where a rule selects namespaces: `kubectl get namespace $NS --show-labels`

## Likely causes
1. A deny-all policy was added without the rules that let the needed flows through.
2. A policy lists the Service''s port. Policies see the pod''s port (`targetPort`).
3. Labels of caller or callee changed, and the policy selects the old ones.
4. Egress was restricted and port 53 to kube-dns forgotten.

## Steps
1. Find the policies that select the called pod (Ingress) and the calling pod (Egress). Each end needs a rule that lets this flow through.
2. Look what changed lately: `kubectl -n $NS get networkpolicies --sort-by=.metadata.creationTimestamp`
3. Ask whoever owns the policy. If it was a mistake of the last minutes, take the change back where it came from.
4. Write the narrowest rule: from these pods, to this port. Check it first: `kubectl -n $NS apply --dry-run=server -f policy.yaml`
5. Apply it through the policy''s own repository and review.

## Fix
```yaml
ingress:
- from: [{podSelector: {matchLabels: {app: shop}}}]
  ports: [{protocol: TCP, port: 8080}]
```
and for names, in a policy with Egress:
```yaml
egress:
- to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
  ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
```
Way back: `kubectl -n $NS apply -f` the policy as it was. Never delete a deny-all policy to make a light green.

## Verify
- From the caller: `kubectl -n $NS exec $POD -- wget -q -T 3 -O- http://api/` answers.
- What should stay shut is still shut.

## Prevent
- Keep policies beside the workloads they speak of, and test a needed flow after each change.
', '["network-policy","networkpolicy","timeout","egress","ingress","dns","cause:network_policy_blocks","rule:error_burst","rule:not_ready","rule:crash_loop"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'network-policy');

UPDATE runbooks SET service = '*', title = 'A node is not well', body = 'A node does not answer, is not ready, or is short of memory, disk or process ids. What runs on it
fails for no reason of its own.

Set once: `NODE=<node>`.

## Symptoms
- `Ready` is `Unknown` (the kubelet has been silent for 40 s) or `False` (it says itself that it is not).
- `MemoryPressure`, `DiskPressure` or `PIDPressure` is `True`: pods are evicted, and a taint keeps new ones away.
- Pods on it turn not ready at the same time; five minutes later they are made again elsewhere.

## Confirm
- What it says, and since when: `kubectl get node $NODE -o jsonpath=''{range .status.conditions[*]}{.type}{"="}{.status}{" "}{.lastTransitionTime}{" "}{.reason}{" "}{.message}{"; "}{end}''`
- Taints and events: `kubectl describe node $NODE`
- What runs there: `kubectl get pods -A -o wide --field-selector spec.nodeName=$NODE`
- One node or many? `kubectl get nodes`. Many at once are the network or the control plane, not nodes.

## Likely causes
| what shows | means |
|---|---|
| `Unknown`, `Kubelet stopped posting node status` | the machine is off, cut off, or its kubelet hangs |
| `False`, `container runtime is down`, `PLEG is not healthy` | the container runtime |
| `False`, `cni plugin not initialized` | the network plugin''s pod on that node |
| `DiskPressure` | images, logs or an `emptyDir` fill the disk |
| `MemoryPressure` | pods without limits, or more limits than memory |
| `PIDPressure` | a program that forks without end |

## Steps
1. Keep new pods away while you look: `kubectl cordon $NODE`
2. Can the machine be reached at all? On it: `systemctl status kubelet containerd` and `journalctl -u kubelet --since -10min`
3. Disk: on the machine `df -h`; images that nothing uses go with `crictl rmi --prune`. Which pods write so much (needs jq): `kubectl get --raw /api/v1/nodes/$NODE/proxy/stats/summary | jq -r ''.pods[] | [."ephemeral-storage".usedBytes, .podRef.namespace, .podRef.name] | @tsv'' | sort -rn | head`
4. Memory: on the machine `free -m`; then look for pods without a limit: `kubectl get pods -A --field-selector spec.nodeName=$NODE -o ''custom-columns=NS:.metadata.namespace,POD:.metadata.name,LIMIT:.spec.containers[*].resources.limits.memory''`
5. It will not come back soon: move its pods, minding disruption budgets; what is in an `emptyDir` is lost: `kubectl drain $NODE --ignore-daemonsets --delete-emptydir-data`
6. The machine is gone for good: `kubectl delete node $NODE` releases its volumes and lets the pods of StatefulSets be made again. Be sure that it is off: two writers on one volume lose data.

## Fix
The kubelet, the runtime, the network plugin, the disk or the machine.
Then, and as the way back: `kubectl uncordon $NODE`.

## Verify
- `kubectl get node $NODE` says `Ready`, without pressure, for some minutes.
- Nothing waits for it any more: `kubectl get pods -A --field-selector status.phase=Pending`

## Prevent
- Limits on memory and `ephemeral-storage`, log rotation, eviction thresholds with room.
- Replicas of one workload on different nodes (topology spread).
- Alert on a disk over 80 %, and on `NotReady` for more than a minute.
', tags = '["node","kubelet","pressure","disk","network","cause:node_unhealthy","rule:node_unhealthy"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'node-unhealthy';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'node-unhealthy', '*', 'A node is not well', 'A node does not answer, is not ready, or is short of memory, disk or process ids. What runs on it
fails for no reason of its own.

Set once: `NODE=<node>`.

## Symptoms
- `Ready` is `Unknown` (the kubelet has been silent for 40 s) or `False` (it says itself that it is not).
- `MemoryPressure`, `DiskPressure` or `PIDPressure` is `True`: pods are evicted, and a taint keeps new ones away.
- Pods on it turn not ready at the same time; five minutes later they are made again elsewhere.

## Confirm
- What it says, and since when: `kubectl get node $NODE -o jsonpath=''{range .status.conditions[*]}{.type}{"="}{.status}{" "}{.lastTransitionTime}{" "}{.reason}{" "}{.message}{"; "}{end}''`
- Taints and events: `kubectl describe node $NODE`
- What runs there: `kubectl get pods -A -o wide --field-selector spec.nodeName=$NODE`
- One node or many? `kubectl get nodes`. Many at once are the network or the control plane, not nodes.

## Likely causes
| what shows | means |
|---|---|
| `Unknown`, `Kubelet stopped posting node status` | the machine is off, cut off, or its kubelet hangs |
| `False`, `container runtime is down`, `PLEG is not healthy` | the container runtime |
| `False`, `cni plugin not initialized` | the network plugin''s pod on that node |
| `DiskPressure` | images, logs or an `emptyDir` fill the disk |
| `MemoryPressure` | pods without limits, or more limits than memory |
| `PIDPressure` | a program that forks without end |

## Steps
1. Keep new pods away while you look: `kubectl cordon $NODE`
2. Can the machine be reached at all? On it: `systemctl status kubelet containerd` and `journalctl -u kubelet --since -10min`
3. Disk: on the machine `df -h`; images that nothing uses go with `crictl rmi --prune`. Which pods write so much (needs jq): `kubectl get --raw /api/v1/nodes/$NODE/proxy/stats/summary | jq -r ''.pods[] | [."ephemeral-storage".usedBytes, .podRef.namespace, .podRef.name] | @tsv'' | sort -rn | head`
4. Memory: on the machine `free -m`; then look for pods without a limit: `kubectl get pods -A --field-selector spec.nodeName=$NODE -o ''custom-columns=NS:.metadata.namespace,POD:.metadata.name,LIMIT:.spec.containers[*].resources.limits.memory''`
5. It will not come back soon: move its pods, minding disruption budgets; what is in an `emptyDir` is lost: `kubectl drain $NODE --ignore-daemonsets --delete-emptydir-data`
6. The machine is gone for good: `kubectl delete node $NODE` releases its volumes and lets the pods of StatefulSets be made again. Be sure that it is off: two writers on one volume lose data.

## Fix
The kubelet, the runtime, the network plugin, the disk or the machine.
Then, and as the way back: `kubectl uncordon $NODE`.

## Verify
- `kubectl get node $NODE` says `Ready`, without pressure, for some minutes.
- Nothing waits for it any more: `kubectl get pods -A --field-selector status.phase=Pending`

## Prevent
- Limits on memory and `ephemeral-storage`, log rotation, eviction thresholds with room.
- Replicas of one workload on different nodes (topology spread).
- Alert on a disk over 80 %, and on `NotReady` for more than a minute.
', '["node","kubelet","pressure","disk","network","cause:node_unhealthy","rule:node_unhealthy"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'node-unhealthy');

UPDATE runbooks SET service = '*', title = 'A container is OOM-killed (exit 137)', body = 'A container asked for more memory than its limit allows and the kernel killed it. Kubernetes starts
it again, with a longer pause each time.

Set once: `NS=demo APP=oom-demo C=app POD=<the failing pod>`.

## Symptoms
- Pod status `OOMKilled`, exit code 137; then `CrashLoopBackOff` with a rising restart count.
- Between two kills the pod says `Running` and `Ready`: only `lastState` tells.
- Users see resets and timeouts in bursts. The log ends without an error: the program was not asked.
- No Kubernetes event says OOM. Do not wait for one.

## Confirm
- The kill and its time:
  `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.containerStatuses[*]}{.name}{" restarts="}{.restartCount}{" "}{.lastState.terminated.reason}{" "}{.lastState.terminated.exitCode}{" "}{.lastState.terminated.finishedAt}{"; "}{end}''`
- The limit it ran into:
  `kubectl -n $NS get deployment $APP -o jsonpath=''{.spec.template.spec.containers[*].resources}''`
- The last words before the kill: `kubectl -n $NS logs $POD -c $C --previous --tail=50`
- The kernel''s own lines, if you may debug nodes:
  `kubectl debug node/$NODE -it --image=busybox -- chroot /host dmesg -T | grep -i -e oom-kill -e "killed process"`

## Likely causes
1. The limit is below what the program needs to work (it dies at the same point of every start).
2. The limit was lowered, or a new version needs more: look for a change just before the first kill.
3. A leak: it lives about as long after every raise of the limit. See *memory-leak*.
4. One request or batch is too large: it dies at odd times, right after the same kind of log line.
5. A child process is killed and the first process lives on: no status says OOMKilled, no restart
   happens; only the kernel''s line, the kubelet''s count, or a log line such as `signal: killed` tells.
6. A volume in memory fills it. See *memory-volume*.
7. The runtime does not know the limit (JVM without `-XX:MaxRAMPercentage`, Node.js without
   `--max-old-space-size`, Go without `GOMEMLIMIT`).

## Steps
1. Say that you have it, and note the time of the first kill.
2. Look for a change just before it: `kubectl -n $NS rollout history deployment/$APP`. If the kills began with it, roll back first and think later: `kubectl -n $NS rollout undo deployment/$APP`
3. Read the peak. A peak equal to the limit was cut off by the kill: the true need is unknown, only that it is more.
4. Raise the limit one step (twice the present one, within the node''s and the quota''s room), request with it: `kubectl -n $NS set resources deployment/$APP -c $C --limits=memory=64Mi --requests=memory=32Mi`
5. Watch it come up: `kubectl -n $NS rollout status deployment/$APP --timeout=120s`
6. Wait twice as long as it lived before. Killed again at the new limit: one more step. Killed a third time: stop raising, treat it as a leak.
7. Write down the limit that held and why, in the manifest''s own repository, so that the next deploy does not undo it.

## Fix
Raise the memory limit to the peak seen whole plus a quarter; where the peak was cut off, one step
up and verify. Set the request near the usual working set, so that the scheduler knows.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS get pods -l app=$APP` shows the new pods ready and no restart.
- They have outlived twice the longest earlier life.
- `kubectl -n $NS top pod -l app=$APP --containers` (needs metrics-server) stays below 80 % of the limit.

## Prevent
- Alert on working set over 90 % of the limit for five minutes, before the kill.
- Tell the runtime its limit. Load-test with the limit in place.
- Review limits where they are changed: in the pull request.
', tags = '["memory","oom","limits","exit-137","cause:memory_limit_too_low","rule:oom_killed"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'oom-killed';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'oom-killed', '*', 'A container is OOM-killed (exit 137)', 'A container asked for more memory than its limit allows and the kernel killed it. Kubernetes starts
it again, with a longer pause each time.

Set once: `NS=demo APP=oom-demo C=app POD=<the failing pod>`.

## Symptoms
- Pod status `OOMKilled`, exit code 137; then `CrashLoopBackOff` with a rising restart count.
- Between two kills the pod says `Running` and `Ready`: only `lastState` tells.
- Users see resets and timeouts in bursts. The log ends without an error: the program was not asked.
- No Kubernetes event says OOM. Do not wait for one.

## Confirm
- The kill and its time:
  `kubectl -n $NS get pod $POD -o jsonpath=''{range .status.containerStatuses[*]}{.name}{" restarts="}{.restartCount}{" "}{.lastState.terminated.reason}{" "}{.lastState.terminated.exitCode}{" "}{.lastState.terminated.finishedAt}{"; "}{end}''`
- The limit it ran into:
  `kubectl -n $NS get deployment $APP -o jsonpath=''{.spec.template.spec.containers[*].resources}''`
- The last words before the kill: `kubectl -n $NS logs $POD -c $C --previous --tail=50`
- The kernel''s own lines, if you may debug nodes:
  `kubectl debug node/$NODE -it --image=busybox -- chroot /host dmesg -T | grep -i -e oom-kill -e "killed process"`

## Likely causes
1. The limit is below what the program needs to work (it dies at the same point of every start).
2. The limit was lowered, or a new version needs more: look for a change just before the first kill.
3. A leak: it lives about as long after every raise of the limit. See *memory-leak*.
4. One request or batch is too large: it dies at odd times, right after the same kind of log line.
5. A child process is killed and the first process lives on: no status says OOMKilled, no restart
   happens; only the kernel''s line, the kubelet''s count, or a log line such as `signal: killed` tells.
6. A volume in memory fills it. See *memory-volume*.
7. The runtime does not know the limit (JVM without `-XX:MaxRAMPercentage`, Node.js without
   `--max-old-space-size`, Go without `GOMEMLIMIT`).

## Steps
1. Say that you have it, and note the time of the first kill.
2. Look for a change just before it: `kubectl -n $NS rollout history deployment/$APP`. If the kills began with it, roll back first and think later: `kubectl -n $NS rollout undo deployment/$APP`
3. Read the peak. A peak equal to the limit was cut off by the kill: the true need is unknown, only that it is more.
4. Raise the limit one step (twice the present one, within the node''s and the quota''s room), request with it: `kubectl -n $NS set resources deployment/$APP -c $C --limits=memory=64Mi --requests=memory=32Mi`
5. Watch it come up: `kubectl -n $NS rollout status deployment/$APP --timeout=120s`
6. Wait twice as long as it lived before. Killed again at the new limit: one more step. Killed a third time: stop raising, treat it as a leak.
7. Write down the limit that held and why, in the manifest''s own repository, so that the next deploy does not undo it.

## Fix
Raise the memory limit to the peak seen whole plus a quarter; where the peak was cut off, one step
up and verify. Set the request near the usual working set, so that the scheduler knows.
Way back: `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS get pods -l app=$APP` shows the new pods ready and no restart.
- They have outlived twice the longest earlier life.
- `kubectl -n $NS top pod -l app=$APP --containers` (needs metrics-server) stays below 80 % of the limit.

## Prevent
- Alert on working set over 90 % of the limit for five minutes, before the kill.
- Tell the runtime its limit. Load-test with the limit in place.
- Review limits where they are changed: in the pull request.
', '["memory","oom","limits","exit-137","cause:memory_limit_too_low","rule:oom_killed"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'oom-killed');

UPDATE runbooks SET service = '*', title = 'The API server refuses a service account (forbidden)', body = 'A program in a pod asks the Kubernetes API and may not. The refusal itself names the account, the
verb, the resource and the namespace.

Who may do what is a decision about security: the co-pilot names what is missing and grants nothing.

Set once: `NS=demo SA=default VERB=list RESOURCE=pods` as the refusal says them.

## Symptoms
- `pods is forbidden: User "system:serviceaccount:demo:default" cannot list resource "pods" in API group "" in the namespace "demo"`.
- An operator or controller crash-loops at its start, or runs and does nothing.

## Confirm
- May it: `kubectl auth can-i $VERB $RESOURCE -n $NS --as=system:serviceaccount:$NS:$SA`
- All it may: `kubectl auth can-i --list -n $NS --as=system:serviceaccount:$NS:$SA`
- Who is bound to what here: `kubectl -n $NS get rolebindings -o wide`
- And in the whole cluster: `kubectl get clusterrolebindings -o wide | grep "$NS/$SA"`

## Likely causes
1. No binding at all: the pod runs as `default` because its manifest names no service account.
2. The binding''s subject names the account in another namespace (copied manifests).
3. The role lacks the verb, the subresource (`pods/log`) or the API group (`apps`).
4. A Role binds in its own namespace only, and the program asks for all namespaces.
5. The binding refers to a role that is not there.

## Steps
1. Read the refusal word by word; it is exact.
2. See which account the pod really runs as: `kubectl -n $NS get pod <pod> -o jsonpath=''{.spec.serviceAccountName}''`
3. Read the binding: `kubectl -n $NS get rolebinding <name> -o yaml`; compare the subject''s namespace.
4. Read the role: `kubectl -n $NS describe role <name>`; look for verb, resource, subresource, API group.
5. Ask whoever owns the program whether it should be able to do this at all.
6. Grant the least that works, in the manifest''s own repository. Try it first: `kubectl -n $NS create rolebinding reader --role=reader --serviceaccount=$NS:$SA --dry-run=server`

## Fix
One rule or one binding, as narrow as the refusal. Never `cluster-admin`, never `*`.
Way back: delete that rule or binding. No restart is needed: rights hold from the next request on.

## Verify
- `kubectl auth can-i $VERB $RESOURCE -n $NS --as=system:serviceaccount:$NS:$SA` says `yes`.
- The program''s log does not repeat the line.

## Prevent
- Ship account, role and binding with the program, and test them under `--as`.
', tags = '["rbac","forbidden","serviceaccount","role","rolebinding","status-403","cause:permission_missing","rule:error_burst","rule:crash_loop"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'permission-missing';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'permission-missing', '*', 'The API server refuses a service account (forbidden)', 'A program in a pod asks the Kubernetes API and may not. The refusal itself names the account, the
verb, the resource and the namespace.

Who may do what is a decision about security: the co-pilot names what is missing and grants nothing.

Set once: `NS=demo SA=default VERB=list RESOURCE=pods` as the refusal says them.

## Symptoms
- `pods is forbidden: User "system:serviceaccount:demo:default" cannot list resource "pods" in API group "" in the namespace "demo"`.
- An operator or controller crash-loops at its start, or runs and does nothing.

## Confirm
- May it: `kubectl auth can-i $VERB $RESOURCE -n $NS --as=system:serviceaccount:$NS:$SA`
- All it may: `kubectl auth can-i --list -n $NS --as=system:serviceaccount:$NS:$SA`
- Who is bound to what here: `kubectl -n $NS get rolebindings -o wide`
- And in the whole cluster: `kubectl get clusterrolebindings -o wide | grep "$NS/$SA"`

## Likely causes
1. No binding at all: the pod runs as `default` because its manifest names no service account.
2. The binding''s subject names the account in another namespace (copied manifests).
3. The role lacks the verb, the subresource (`pods/log`) or the API group (`apps`).
4. A Role binds in its own namespace only, and the program asks for all namespaces.
5. The binding refers to a role that is not there.

## Steps
1. Read the refusal word by word; it is exact.
2. See which account the pod really runs as: `kubectl -n $NS get pod <pod> -o jsonpath=''{.spec.serviceAccountName}''`
3. Read the binding: `kubectl -n $NS get rolebinding <name> -o yaml`; compare the subject''s namespace.
4. Read the role: `kubectl -n $NS describe role <name>`; look for verb, resource, subresource, API group.
5. Ask whoever owns the program whether it should be able to do this at all.
6. Grant the least that works, in the manifest''s own repository. Try it first: `kubectl -n $NS create rolebinding reader --role=reader --serviceaccount=$NS:$SA --dry-run=server`

## Fix
One rule or one binding, as narrow as the refusal. Never `cluster-admin`, never `*`.
Way back: delete that rule or binding. No restart is needed: rights hold from the next request on.

## Verify
- `kubectl auth can-i $VERB $RESOURCE -n $NS --as=system:serviceaccount:$NS:$SA` says `yes`.
- The program''s log does not repeat the line.

## Prevent
- Ship account, role and binding with the program, and test them under `--as`.
', '["rbac","forbidden","serviceaccount","role","rolebinding","status-403","cause:permission_missing","rule:error_burst","rule:crash_loop"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'permission-missing');

UPDATE runbooks SET service = '*', title = 'A workload gets no pods, refused by a policy, a webhook or for want of a service account', body = 'The API server refuses the pods of a workload before they exist, so there is no pod to look at. It
asks policies and webhooks and looks up the service account: one said no, or did not answer.

Set once: `NS=demo APP=web`.

## Symptoms
- Fewer pods than asked for and none pending; `FailedCreate` events on the ReplicaSet, StatefulSet,
  DaemonSet or Job.
- A rollout that does not move: the old pods go on.
- Many workloads at once: a webhook that does not answer.

## Confirm
- The words of the refusal: `kubectl -n $NS get events --field-selector reason=FailedCreate --sort-by=.lastTimestamp`
- Of a ReplicaSet also: `kubectl -n $NS get rs -o jsonpath=''{range .items[*]}{.metadata.name}{" "}{.status.conditions[*].message}{"; "}{end}''`
- Pod Security of the namespace: `kubectl get namespace $NS -o jsonpath=''{.metadata.labels}''`
- Webhooks, whom they ask, and what happens if nobody answers: `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o ''custom-columns=NAME:.metadata.name,SERVICE:.webhooks[*].clientConfig.service.name,IN:.webhooks[*].clientConfig.service.namespace,POLICY:.webhooks[*].failurePolicy''`
- Is somebody there? `kubectl -n <its namespace> get endpointslices -l kubernetes.io/service-name=<service>`

## Likely causes
| the message says | means |
|---|---|
| `violates PodSecurity` | the namespace''s Pod Security level: made stricter, or a rollout asks for more |
| `admission webhook ... denied the request`, `ValidatingAdmissionPolicy ... denied request` | a policy judged, and said no |
| `failed calling webhook` | nobody judged: the webhook''s pods, Service or certificate are gone; or it was uninstalled and left its configuration behind |
| `serviceaccount "..." not found` | a wrong name, or an account that is made later than the workload |
| `exceeded quota`, `failed quota`, `maximum ... per Container` | see *quota-and-limits* |

## Steps
1. Read the refusal to the end: it names the policy, the webhook or the account. Denied or unanswered? That decides who acts.
2. Denied: compare the spec with what the policy asks for. If a rollout brought it in: `kubectl -n $NS rollout undo deployment/$APP`. Else change the pod; an exception is its owner''s to give.
3. Unanswered: mend the webhook''s workload first: `kubectl -n <its namespace> get pods` and `kubectl -n <its namespace> describe service <service>`
4. It was uninstalled: delete what it left: `kubectl delete validatingwebhookconfiguration <name>`
5. It cannot be mended soon, and whoever answers for safety agrees: let it be skipped for now, and write down to set it back: `kubectl patch validatingwebhookconfiguration <name> --type=json -p ''[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]''`
6. No such account: correct the name, `kubectl -n $NS set serviceaccount deployment/$APP <name>`, or make it, with the rights it needs: `kubectl -n $NS create serviceaccount <name>`. Never take another one for its name alone: it has other rights.
7. Controllers try ever more seldom (up to every 16 minutes). To be quicker: `kubectl -n $NS rollout restart deployment/$APP`

## Fix
A spec that the policy allows; a webhook that answers; the account that was meant.
Way back: `kubectl -n $NS rollout undo deployment/$APP`; `failurePolicy` back to `Fail`.

## Verify
- `kubectl -n $NS get deployment,statefulset,daemonset` shows as many pods as asked for, ready.
- No new `FailedCreate` in the events.

## Prevent
- Two replicas and a disruption budget for a webhook, its own namespace exempt from it.
- Dry-run manifests against the policies in the pipeline: `kubectl apply --dry-run=server -f <file>`.
', tags = '["not-created","admission","webhook","policy","pod-security","service-account","cause:admission_denied","cause:admission_webhook_down","cause:service_account_missing","rule:not_created"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'pods-refused';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'pods-refused', '*', 'A workload gets no pods, refused by a policy, a webhook or for want of a service account', 'The API server refuses the pods of a workload before they exist, so there is no pod to look at. It
asks policies and webhooks and looks up the service account: one said no, or did not answer.

Set once: `NS=demo APP=web`.

## Symptoms
- Fewer pods than asked for and none pending; `FailedCreate` events on the ReplicaSet, StatefulSet,
  DaemonSet or Job.
- A rollout that does not move: the old pods go on.
- Many workloads at once: a webhook that does not answer.

## Confirm
- The words of the refusal: `kubectl -n $NS get events --field-selector reason=FailedCreate --sort-by=.lastTimestamp`
- Of a ReplicaSet also: `kubectl -n $NS get rs -o jsonpath=''{range .items[*]}{.metadata.name}{" "}{.status.conditions[*].message}{"; "}{end}''`
- Pod Security of the namespace: `kubectl get namespace $NS -o jsonpath=''{.metadata.labels}''`
- Webhooks, whom they ask, and what happens if nobody answers: `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o ''custom-columns=NAME:.metadata.name,SERVICE:.webhooks[*].clientConfig.service.name,IN:.webhooks[*].clientConfig.service.namespace,POLICY:.webhooks[*].failurePolicy''`
- Is somebody there? `kubectl -n <its namespace> get endpointslices -l kubernetes.io/service-name=<service>`

## Likely causes
| the message says | means |
|---|---|
| `violates PodSecurity` | the namespace''s Pod Security level: made stricter, or a rollout asks for more |
| `admission webhook ... denied the request`, `ValidatingAdmissionPolicy ... denied request` | a policy judged, and said no |
| `failed calling webhook` | nobody judged: the webhook''s pods, Service or certificate are gone; or it was uninstalled and left its configuration behind |
| `serviceaccount "..." not found` | a wrong name, or an account that is made later than the workload |
| `exceeded quota`, `failed quota`, `maximum ... per Container` | see *quota-and-limits* |

## Steps
1. Read the refusal to the end: it names the policy, the webhook or the account. Denied or unanswered? That decides who acts.
2. Denied: compare the spec with what the policy asks for. If a rollout brought it in: `kubectl -n $NS rollout undo deployment/$APP`. Else change the pod; an exception is its owner''s to give.
3. Unanswered: mend the webhook''s workload first: `kubectl -n <its namespace> get pods` and `kubectl -n <its namespace> describe service <service>`
4. It was uninstalled: delete what it left: `kubectl delete validatingwebhookconfiguration <name>`
5. It cannot be mended soon, and whoever answers for safety agrees: let it be skipped for now, and write down to set it back: `kubectl patch validatingwebhookconfiguration <name> --type=json -p ''[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]''`
6. No such account: correct the name, `kubectl -n $NS set serviceaccount deployment/$APP <name>`, or make it, with the rights it needs: `kubectl -n $NS create serviceaccount <name>`. Never take another one for its name alone: it has other rights.
7. Controllers try ever more seldom (up to every 16 minutes). To be quicker: `kubectl -n $NS rollout restart deployment/$APP`

## Fix
A spec that the policy allows; a webhook that answers; the account that was meant.
Way back: `kubectl -n $NS rollout undo deployment/$APP`; `failurePolicy` back to `Fail`.

## Verify
- `kubectl -n $NS get deployment,statefulset,daemonset` shows as many pods as asked for, ready.
- No new `FailedCreate` in the events.

## Prevent
- Two replicas and a disruption budget for a webhook, its own namespace exempt from it.
- Dry-run manifests against the policies in the pipeline: `kubectl apply --dry-run=server -f <file>`.
', '["not-created","admission","webhook","policy","pod-security","service-account","cause:admission_denied","cause:admission_webhook_down","cause:service_account_missing","rule:not_created"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'pods-refused');

UPDATE runbooks SET service = '*', title = 'A quota or a limit range keeps pods out', body = 'The API server refuses pods (or claims, or Services) because the namespace may not have more, or not
of that size. There is no pod to look at: the controller''s events tell.

Set once: `NS=demo APP=web C=app`.

## Symptoms
- Fewer pods than wanted and none pending; the Deployment says `ReplicaFailure`.
- A rollout stands still although the old pods are well.
- `FailedCreate` events with one of the messages below.

## Confirm
- The refusal: `kubectl -n $NS get events --field-selector reason=FailedCreate --sort-by=.lastTimestamp`
- What is in use: `kubectl -n $NS describe resourcequota`
- The bounds of one container: `kubectl -n $NS describe limitrange`
- What it asks for: `kubectl -n $NS get deployment/$APP -o jsonpath=''{.spec.replicas}{" x "}{.spec.template.spec.containers[*].resources}''`

## Likely causes
| the message says | means |
|---|---|
| `exceeded quota` | requests or replicas were raised, the quota was lowered, or a rollout has no room for its one pod more (`maxSurge`) |
| `exceeded quota`, and less runs than is counted | left-over pods, claims or Services still count |
| `failed quota: ... must specify` | the quota counts CPU or memory, and a container says nothing about it |
| `maximum ... per Container is`, `minimum ...` | a container asks for more, or less, than the limit range allows |

## Steps
1. Read the refusal to the end: `requested` + `used` is more than `limited`, and of what.
2. Did the requests change? `kubectl -n $NS rollout history deployment/$APP`, then `kubectl -n $NS rollout undo deployment/$APP`
3. Free what is left over: `kubectl -n $NS get pods --field-selector=status.phase!=Running`
4. Let a rollout do without a pod more: `kubectl -n $NS patch deployment/$APP -p ''{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":1}}}}''`
5. Say what the container needs, or bring it within the bound: `kubectl -n $NS set resources deployment/$APP -c $C --requests=cpu=100m,memory=64Mi --limits=memory=64Mi`
6. Raise the quota only with whoever owns the namespace''s share: `kubectl -n $NS patch resourcequota <name> -p ''{"spec":{"hard":{"pods":"12"}}}''`
7. Controllers try again by themselves, but ever more seldom (up to every 16 minutes). To be quicker: `kubectl -n $NS rollout restart deployment/$APP`

## Fix
Requests that fit, or a quota that does. Do not delete a quota to get past it.
Way back: `kubectl -n $NS rollout undo deployment/$APP`; the quota''s former value by the same patch.

## Verify
- `kubectl -n $NS get deployment/$APP` shows as many ready as wanted; no new `FailedCreate`.

## Prevent
- Alert at 80 % of a quota. Count one `maxSurge` for every workload into it.
- Set default requests by a limit range where a quota counts them.
', tags = '["quota","limitrange","namespace","capacity","requests","limits","cause:quota_exceeded","cause:limit_range_violated","rule:not_created"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'quota-and-limits';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'quota-and-limits', '*', 'A quota or a limit range keeps pods out', 'The API server refuses pods (or claims, or Services) because the namespace may not have more, or not
of that size. There is no pod to look at: the controller''s events tell.

Set once: `NS=demo APP=web C=app`.

## Symptoms
- Fewer pods than wanted and none pending; the Deployment says `ReplicaFailure`.
- A rollout stands still although the old pods are well.
- `FailedCreate` events with one of the messages below.

## Confirm
- The refusal: `kubectl -n $NS get events --field-selector reason=FailedCreate --sort-by=.lastTimestamp`
- What is in use: `kubectl -n $NS describe resourcequota`
- The bounds of one container: `kubectl -n $NS describe limitrange`
- What it asks for: `kubectl -n $NS get deployment/$APP -o jsonpath=''{.spec.replicas}{" x "}{.spec.template.spec.containers[*].resources}''`

## Likely causes
| the message says | means |
|---|---|
| `exceeded quota` | requests or replicas were raised, the quota was lowered, or a rollout has no room for its one pod more (`maxSurge`) |
| `exceeded quota`, and less runs than is counted | left-over pods, claims or Services still count |
| `failed quota: ... must specify` | the quota counts CPU or memory, and a container says nothing about it |
| `maximum ... per Container is`, `minimum ...` | a container asks for more, or less, than the limit range allows |

## Steps
1. Read the refusal to the end: `requested` + `used` is more than `limited`, and of what.
2. Did the requests change? `kubectl -n $NS rollout history deployment/$APP`, then `kubectl -n $NS rollout undo deployment/$APP`
3. Free what is left over: `kubectl -n $NS get pods --field-selector=status.phase!=Running`
4. Let a rollout do without a pod more: `kubectl -n $NS patch deployment/$APP -p ''{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":1}}}}''`
5. Say what the container needs, or bring it within the bound: `kubectl -n $NS set resources deployment/$APP -c $C --requests=cpu=100m,memory=64Mi --limits=memory=64Mi`
6. Raise the quota only with whoever owns the namespace''s share: `kubectl -n $NS patch resourcequota <name> -p ''{"spec":{"hard":{"pods":"12"}}}''`
7. Controllers try again by themselves, but ever more seldom (up to every 16 minutes). To be quicker: `kubectl -n $NS rollout restart deployment/$APP`

## Fix
Requests that fit, or a quota that does. Do not delete a quota to get past it.
Way back: `kubectl -n $NS rollout undo deployment/$APP`; the quota''s former value by the same patch.

## Verify
- `kubectl -n $NS get deployment/$APP` shows as many ready as wanted; no new `FailedCreate`.

## Prevent
- Alert at 80 % of a quota. Count one `maxSurge` for every workload into it.
- Set default requests by a limit range where a quota counts them.
', '["quota","limitrange","namespace","capacity","requests","limits","cause:quota_exceeded","cause:limit_range_violated","rule:not_created"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'quota-and-limits');

UPDATE runbooks SET service = '*', title = 'A Service has no endpoints, or leads to the wrong port', body = 'The pods may be well, and still nobody reaches them: the Service selects none of them, sends to a
port on which they do not listen, or there are none because the workload was scaled to 0.

Set once: `NS=demo SVC=api APP=api`.

## Symptoms
- Every caller at once logs `connection refused` (no endpoints, or nobody listens at the target port).
- Callers time out, or log `no route to host`: they ask for a port that the Service does not have.
- An ingress answers 503. The pods behind look healthy and get no requests.

## Confirm
- Who stands behind it: `kubectl -n $NS get endpointslices -l kubernetes.io/service-name=$SVC`
  `<unset>` endpoints: the selector picks no pod. Endpoints without a port: no pod has the named port.
- Are they ready? `kubectl -n $NS get endpointslices -l kubernetes.io/service-name=$SVC -o jsonpath=''{.items[*].endpoints[*].conditions.ready}''`
- What it selects, and to which port it sends:
  `kubectl -n $NS get service $SVC -o jsonpath=''{.spec.selector}{"  "}{.spec.ports}''`
- What the pods carry: `kubectl -n $NS get pods --show-labels`
- What they listen on:
  `kubectl -n $NS get deployment $APP -o jsonpath=''{range .spec.template.spec.containers[*]}{.name}{" "}{.ports}{"; "}{end}''`
- How many there should be: `kubectl -n $NS get deployment $APP`

## Likely causes
1. The Service''s selector, or the pods'' labels, were changed on one side only; or a slip of the pen.
2. `targetPort` is a number on which the program does not listen, or a name that no container gives.
3. The caller asks for the pods'' port (8080) instead of the Service''s (80).
4. Somebody scaled the workload to 0 and forgot it, or deleted it while something still calls it.
5. Pods are selected but none is ready: then the pods are the trouble, not the Service.

## Steps
1. Look at the endpoints first. Ready ones with a port: leave the Service alone and go to *network-policy* or the caller. Pods, but none ready: go on with their own trouble (*crash-loop*, *bad-probe*).
2. Note what the Service has now, and who changed it: `kubectl -n $NS get service $SVC -o yaml --show-managed-fields`
3. Compare the selector with the labels of the pods, key by key. Correct the Service: a Deployment''s own selector, and with it these labels, cannot be changed: `kubectl -n $NS patch service $SVC --type=merge -p ''{"spec":{"selector":{"app":"api"}}}''`. A key that must go is set to `null`.
4. Target port wrong: `kubectl -n $NS patch service $SVC --type=strategic -p ''{"spec":{"ports":[{"port":80,"targetPort":8080}]}}''`
5. Scaled to 0: ask who did it and why, then scale it to what it was: `kubectl -n $NS scale deployment/$APP --replicas=2`
6. The caller''s port is wrong: correct the address in its own configuration, not the Service that others use.
7. The workload is gone for good: remove the Service, and its address from the callers.

## Fix
The selector or target port that fits the pods, or the number of replicas that was there before.
Way back: the same `patch` with the values you noted in step 2, or `kubectl -n $NS scale`.
Write it into the manifest''s own repository, or the next deploy brings the fault back.

## Verify
- The endpoints of *Confirm* show the pods, ready, and the port.
- The caller''s log is quiet: `kubectl -n $NS logs deployment/<caller> --since=1m`

## Prevent
- Name container ports and send to the name. Let one template make selector and labels.
- Alert on Services without ready endpoints that somebody calls.
', tags = '["service","endpoints","selector","port","targetport","connection-refused","replicas","cause:service_selector_mismatch","cause:service_port_mismatch","cause:scaled_to_zero","rule:no_endpoints"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'service-unreachable';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'service-unreachable', '*', 'A Service has no endpoints, or leads to the wrong port', 'The pods may be well, and still nobody reaches them: the Service selects none of them, sends to a
port on which they do not listen, or there are none because the workload was scaled to 0.

Set once: `NS=demo SVC=api APP=api`.

## Symptoms
- Every caller at once logs `connection refused` (no endpoints, or nobody listens at the target port).
- Callers time out, or log `no route to host`: they ask for a port that the Service does not have.
- An ingress answers 503. The pods behind look healthy and get no requests.

## Confirm
- Who stands behind it: `kubectl -n $NS get endpointslices -l kubernetes.io/service-name=$SVC`
  `<unset>` endpoints: the selector picks no pod. Endpoints without a port: no pod has the named port.
- Are they ready? `kubectl -n $NS get endpointslices -l kubernetes.io/service-name=$SVC -o jsonpath=''{.items[*].endpoints[*].conditions.ready}''`
- What it selects, and to which port it sends:
  `kubectl -n $NS get service $SVC -o jsonpath=''{.spec.selector}{"  "}{.spec.ports}''`
- What the pods carry: `kubectl -n $NS get pods --show-labels`
- What they listen on:
  `kubectl -n $NS get deployment $APP -o jsonpath=''{range .spec.template.spec.containers[*]}{.name}{" "}{.ports}{"; "}{end}''`
- How many there should be: `kubectl -n $NS get deployment $APP`

## Likely causes
1. The Service''s selector, or the pods'' labels, were changed on one side only; or a slip of the pen.
2. `targetPort` is a number on which the program does not listen, or a name that no container gives.
3. The caller asks for the pods'' port (8080) instead of the Service''s (80).
4. Somebody scaled the workload to 0 and forgot it, or deleted it while something still calls it.
5. Pods are selected but none is ready: then the pods are the trouble, not the Service.

## Steps
1. Look at the endpoints first. Ready ones with a port: leave the Service alone and go to *network-policy* or the caller. Pods, but none ready: go on with their own trouble (*crash-loop*, *bad-probe*).
2. Note what the Service has now, and who changed it: `kubectl -n $NS get service $SVC -o yaml --show-managed-fields`
3. Compare the selector with the labels of the pods, key by key. Correct the Service: a Deployment''s own selector, and with it these labels, cannot be changed: `kubectl -n $NS patch service $SVC --type=merge -p ''{"spec":{"selector":{"app":"api"}}}''`. A key that must go is set to `null`.
4. Target port wrong: `kubectl -n $NS patch service $SVC --type=strategic -p ''{"spec":{"ports":[{"port":80,"targetPort":8080}]}}''`
5. Scaled to 0: ask who did it and why, then scale it to what it was: `kubectl -n $NS scale deployment/$APP --replicas=2`
6. The caller''s port is wrong: correct the address in its own configuration, not the Service that others use.
7. The workload is gone for good: remove the Service, and its address from the callers.

## Fix
The selector or target port that fits the pods, or the number of replicas that was there before.
Way back: the same `patch` with the values you noted in step 2, or `kubectl -n $NS scale`.
Write it into the manifest''s own repository, or the next deploy brings the fault back.

## Verify
- The endpoints of *Confirm* show the pods, ready, and the port.
- The caller''s log is quiet: `kubectl -n $NS logs deployment/<caller> --since=1m`

## Prevent
- Name container ports and send to the name. Let one template make selector and labels.
- Alert on Services without ready endpoints that somebody calls.
', '["service","endpoints","selector","port","targetport","connection-refused","replicas","cause:service_selector_mismatch","cause:service_port_mismatch","cause:scaled_to_zero","rule:no_endpoints"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'service-unreachable');

UPDATE runbooks SET service = '*', title = 'A pod finds no node', body = 'The scheduler says for every node why it will not do. The pod waits in `Pending`.

Set once: `NS=demo APP=web POD=<the pending pod>`.

## Symptoms
- Pod `Pending`, no node; Warning event `FailedScheduling`; `0/3 nodes are available: ...`.
- A rollout or a scale-up stands still. Pods that moved from a drained node do not come back.

## Confirm
- The scheduler''s reasons: `kubectl -n $NS get pod $POD -o jsonpath=''{.status.conditions[?(@.type=="PodScheduled")].message}''`
- What the pod asks for: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.containers[*].resources.requests}{" "}{.spec.nodeSelector}{" "}{.spec.tolerations}''`
- What the nodes have left: `kubectl describe nodes | grep -A 8 "Allocated resources"`
- Nodes, cordons and taints: `kubectl get nodes -o ''custom-columns=NAME:.metadata.name,CORDONED:.spec.unschedulable,TAINTS:.spec.taints[*].key''`

## Likely causes
| the message says | means |
|---|---|
| `Insufficient cpu`, `Insufficient memory` | requests do not fit; real use does not count |
| `Too many pods` | the node''s pod limit is reached |
| `had untolerated taint` | a taint for other work, or a sick node (`node.kubernetes.io/...`) |
| `didn''t match Pod''s node affinity/selector` | a label that no node has, often after nodes were replaced |
| `didn''t match pod anti-affinity rules`, `topology spread constraints` | more replicas than nodes or zones |
| `unbound immediate PersistentVolumeClaims`, `volume node affinity conflict` | storage: no volume yet, or one in another zone |
| `were unschedulable` | cordoned |

## Steps
1. Read the reasons and add up the nodes: the largest group is the one to solve.
2. Did the requests change just now? `kubectl -n $NS rollout history deployment/$APP`. Then go back: `kubectl -n $NS rollout undo deployment/$APP`
3. Requests too large for any node: bring them near real use: `kubectl -n $NS set resources deployment/$APP -c <container> --requests=cpu=100m,memory=128Mi`
4. The cluster is full: does the autoscaler act? `kubectl -n kube-system get events --sort-by=.metadata.creationTimestamp | grep -i scale`. Else free room: scale down what may wait: `kubectl -n <namespace> scale deployment/<less important> --replicas=0` (write down what it was).
5. Cordoned by mistake, or maintenance is over: `kubectl uncordon $NODE`
6. Selector or affinity that no node satisfies: correct the workload, or give the label back: `kubectl label node $NODE <key>=<value>`
7. Storage: `kubectl -n $NS get pvc` and `kubectl -n $NS describe pvc <name>`

## Fix
The smallest of: right requests, fewer replicas, a node back, a node more. Do not remove a taint
that you did not put there before you know why it is there.

## Verify
- `kubectl -n $NS get pods -l app=$APP -o wide` shows a node for each pod, and they become ready.

## Prevent
- Requests from measured use, quotas per namespace, room for one node to fail.
- Priority classes, so that what matters is placed first.
', tags = '["scheduling","pending","capacity","taints","cause:unschedulable","rule:unschedulable"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'unschedulable';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'unschedulable', '*', 'A pod finds no node', 'The scheduler says for every node why it will not do. The pod waits in `Pending`.

Set once: `NS=demo APP=web POD=<the pending pod>`.

## Symptoms
- Pod `Pending`, no node; Warning event `FailedScheduling`; `0/3 nodes are available: ...`.
- A rollout or a scale-up stands still. Pods that moved from a drained node do not come back.

## Confirm
- The scheduler''s reasons: `kubectl -n $NS get pod $POD -o jsonpath=''{.status.conditions[?(@.type=="PodScheduled")].message}''`
- What the pod asks for: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.containers[*].resources.requests}{" "}{.spec.nodeSelector}{" "}{.spec.tolerations}''`
- What the nodes have left: `kubectl describe nodes | grep -A 8 "Allocated resources"`
- Nodes, cordons and taints: `kubectl get nodes -o ''custom-columns=NAME:.metadata.name,CORDONED:.spec.unschedulable,TAINTS:.spec.taints[*].key''`

## Likely causes
| the message says | means |
|---|---|
| `Insufficient cpu`, `Insufficient memory` | requests do not fit; real use does not count |
| `Too many pods` | the node''s pod limit is reached |
| `had untolerated taint` | a taint for other work, or a sick node (`node.kubernetes.io/...`) |
| `didn''t match Pod''s node affinity/selector` | a label that no node has, often after nodes were replaced |
| `didn''t match pod anti-affinity rules`, `topology spread constraints` | more replicas than nodes or zones |
| `unbound immediate PersistentVolumeClaims`, `volume node affinity conflict` | storage: no volume yet, or one in another zone |
| `were unschedulable` | cordoned |

## Steps
1. Read the reasons and add up the nodes: the largest group is the one to solve.
2. Did the requests change just now? `kubectl -n $NS rollout history deployment/$APP`. Then go back: `kubectl -n $NS rollout undo deployment/$APP`
3. Requests too large for any node: bring them near real use: `kubectl -n $NS set resources deployment/$APP -c <container> --requests=cpu=100m,memory=128Mi`
4. The cluster is full: does the autoscaler act? `kubectl -n kube-system get events --sort-by=.metadata.creationTimestamp | grep -i scale`. Else free room: scale down what may wait: `kubectl -n <namespace> scale deployment/<less important> --replicas=0` (write down what it was).
5. Cordoned by mistake, or maintenance is over: `kubectl uncordon $NODE`
6. Selector or affinity that no node satisfies: correct the workload, or give the label back: `kubectl label node $NODE <key>=<value>`
7. Storage: `kubectl -n $NS get pvc` and `kubectl -n $NS describe pvc <name>`

## Fix
The smallest of: right requests, fewer replicas, a node back, a node more. Do not remove a taint
that you did not put there before you know why it is there.

## Verify
- `kubectl -n $NS get pods -l app=$APP -o wide` shows a node for each pod, and they become ready.

## Prevent
- Requests from measured use, quotas per namespace, room for one node to fail.
- Priority classes, so that what matters is placed first.
', '["scheduling","pending","capacity","taints","cause:unschedulable","rule:unschedulable"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'unschedulable');

UPDATE runbooks SET service = '*', title = 'A volume is not there, not bound, not mounted or not writable', body = 'A pod mounts a claim that does not exist or gets no volume, a volume that its node cannot mount, or
one that it may not write to.

Set once: `NS=demo APP=db PVC=data C=app POD=<the failing pod>`.

## Symptoms
- The claim is `Pending` or `Lost`, or not there; its pod is `Pending` (`unbound immediate
  PersistentVolumeClaims`, `persistentvolumeclaim "..." not found`).
- Pod `ContainerCreating` for minutes, with `FailedMount` or `FailedAttachVolume`.
- `Permission denied` or `Read-only file system` in the log.

## Confirm
- The claim and what it waits for: `kubectl -n $NS get pvc` and `kubectl -n $NS describe pvc $PVC`
- Which classes there are, which is the default, which volumes are free: `kubectl get storageclass` and `kubectl get pv`
- What the pod says: `kubectl -n $NS describe pod $POD`
- What it mounts, and as whom: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.volumes}{"; "}{.spec.containers[*].volumeMounts}{"; "}{.spec.securityContext}{.spec.containers[*].securityContext}''`
- Who owns the files: `kubectl -n $NS exec $POD -c $C -- ls -ldn <path>`

## Likely causes
| what is said | means |
|---|---|
| `storageclass ... not found` | a wrong class name, or a class of another cluster |
| `no storage class is set` | the claim names none, there is no default, and no volume fits |
| `no volume plugin matched`, `no-provisioner` | volumes of this class are made by hand, and none fits |
| `waiting for a volume to be created` for minutes | the provisioner does not run |
| `waiting for first consumer` | meant so: it binds when a pod has a node |
| `Lost` | its volume was deleted |
| `Multi-Attach error` | another node still holds it |
| `hostPath type check failed` | the path is not on that node |
| `Permission denied`, `Read-only file system` | another user''s files; a mount or a root that is read-only |

## Steps
1. `Lost`: stop. Look for a snapshot or the disk itself before you delete anything. Never delete a bound claim to solve this: with the policy `Delete` its data goes too.
2. No such claim: a wrong name in the workload, or it was never made. Unbound: hold it against the volumes: class, size, access modes, labels, `claimRef`.
3. An unbound claim holds no data and may be made anew with what can be served: `kubectl -n $NS get pvc $PVC -o yaml > pvc.yaml`, correct it, `kubectl -n $NS delete pvc $PVC`, `kubectl -n $NS apply -f pvc.yaml`. One that a StatefulSet makes comes back as it was: while no pod of it has ever been ready, delete the StatefulSet and the claim, and apply it with a corrected `volumeClaimTemplates`
4. No default class: mark one: `kubectl patch storageclass <name> -p ''{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"true"}}}''`. A silent provisioner: find its pods (often in `kube-system`) and read their log.
5. Held by another node: is the old pod gone, is that node alive? `kubectl get volumeattachment`. Delete the attachment only once that node is surely off.
6. Not writable: set `fsGroup` to a group of the container''s user where the volume honours it (most CSI drivers with one writer, local volumes at their first mount; not `hostPath`, not NFS), or mount an `emptyDir` where a read-only root must be written to: `kubectl -n $NS edit deployment/$APP`

## Fix
The claim''s name, class, size or mode corrected; a volume made; the owner set.
Way back: the saved manifest of the claim; `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS get pvc $PVC` says `Bound`.
- The pods are ready and have written: `kubectl -n $NS logs deployment/$APP --tail=20`

## Prevent
- One default class in every cluster, and the same class names in all of them.
- Run containers as a fixed user with `fsGroup`, and test them so.
', tags = '["storage","pvc","volume","mount","storageclass","permission","cause:volume_unavailable","cause:volume_permission","rule:volume_pending","rule:unschedulable","rule:crash_loop"]', source = 'docs/runbooks', updated_us = 0 WHERE slug = 'volume-unavailable';
INSERT INTO runbooks (slug, service, title, body, tags, source, updated_us)
SELECT 'volume-unavailable', '*', 'A volume is not there, not bound, not mounted or not writable', 'A pod mounts a claim that does not exist or gets no volume, a volume that its node cannot mount, or
one that it may not write to.

Set once: `NS=demo APP=db PVC=data C=app POD=<the failing pod>`.

## Symptoms
- The claim is `Pending` or `Lost`, or not there; its pod is `Pending` (`unbound immediate
  PersistentVolumeClaims`, `persistentvolumeclaim "..." not found`).
- Pod `ContainerCreating` for minutes, with `FailedMount` or `FailedAttachVolume`.
- `Permission denied` or `Read-only file system` in the log.

## Confirm
- The claim and what it waits for: `kubectl -n $NS get pvc` and `kubectl -n $NS describe pvc $PVC`
- Which classes there are, which is the default, which volumes are free: `kubectl get storageclass` and `kubectl get pv`
- What the pod says: `kubectl -n $NS describe pod $POD`
- What it mounts, and as whom: `kubectl -n $NS get pod $POD -o jsonpath=''{.spec.volumes}{"; "}{.spec.containers[*].volumeMounts}{"; "}{.spec.securityContext}{.spec.containers[*].securityContext}''`
- Who owns the files: `kubectl -n $NS exec $POD -c $C -- ls -ldn <path>`

## Likely causes
| what is said | means |
|---|---|
| `storageclass ... not found` | a wrong class name, or a class of another cluster |
| `no storage class is set` | the claim names none, there is no default, and no volume fits |
| `no volume plugin matched`, `no-provisioner` | volumes of this class are made by hand, and none fits |
| `waiting for a volume to be created` for minutes | the provisioner does not run |
| `waiting for first consumer` | meant so: it binds when a pod has a node |
| `Lost` | its volume was deleted |
| `Multi-Attach error` | another node still holds it |
| `hostPath type check failed` | the path is not on that node |
| `Permission denied`, `Read-only file system` | another user''s files; a mount or a root that is read-only |

## Steps
1. `Lost`: stop. Look for a snapshot or the disk itself before you delete anything. Never delete a bound claim to solve this: with the policy `Delete` its data goes too.
2. No such claim: a wrong name in the workload, or it was never made. Unbound: hold it against the volumes: class, size, access modes, labels, `claimRef`.
3. An unbound claim holds no data and may be made anew with what can be served: `kubectl -n $NS get pvc $PVC -o yaml > pvc.yaml`, correct it, `kubectl -n $NS delete pvc $PVC`, `kubectl -n $NS apply -f pvc.yaml`. One that a StatefulSet makes comes back as it was: while no pod of it has ever been ready, delete the StatefulSet and the claim, and apply it with a corrected `volumeClaimTemplates`
4. No default class: mark one: `kubectl patch storageclass <name> -p ''{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"true"}}}''`. A silent provisioner: find its pods (often in `kube-system`) and read their log.
5. Held by another node: is the old pod gone, is that node alive? `kubectl get volumeattachment`. Delete the attachment only once that node is surely off.
6. Not writable: set `fsGroup` to a group of the container''s user where the volume honours it (most CSI drivers with one writer, local volumes at their first mount; not `hostPath`, not NFS), or mount an `emptyDir` where a read-only root must be written to: `kubectl -n $NS edit deployment/$APP`

## Fix
The claim''s name, class, size or mode corrected; a volume made; the owner set.
Way back: the saved manifest of the claim; `kubectl -n $NS rollout undo deployment/$APP`.

## Verify
- `kubectl -n $NS get pvc $PVC` says `Bound`.
- The pods are ready and have written: `kubectl -n $NS logs deployment/$APP --tail=20`

## Prevent
- One default class in every cluster, and the same class names in all of them.
- Run containers as a fixed user with `fsGroup`, and test them so.
', '["storage","pvc","volume","mount","storageclass","permission","cause:volume_unavailable","cause:volume_permission","rule:volume_pending","rule:unschedulable","rule:crash_loop"]', 'docs/runbooks', 0 FROM (SELECT 1 AS one) AS seed
WHERE NOT EXISTS (SELECT 1 FROM runbooks WHERE slug = 'volume-unavailable');
