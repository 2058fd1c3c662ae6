// @ts-check
/**
 * Invented answers of the API, typed by its schema: one cluster with one memory incident.
 * @import * as api from '../lib/api/types'
 */

const SECOND = 1_000_000
const MINUTE = 60 * SECOND
const MI = 1024 * 1024

/** @type {api.ObjectRef} */
export const WORKLOAD = { kind: 'Deployment', namespace: 'shop', name: 'checkout', uid: 'dep-1' }

/** Incidents are also of what is no Deployment; a Node lives in no namespace. */
export const OTHER_WORKLOADS = [
  { kind: 'Service', namespace: 'shop', name: 'web', uid: 'svc-1' },
  { kind: 'Job', namespace: 'shop', name: 'migrate', uid: 'job-1' },
  { kind: 'Node', namespace: '', name: 'worker-2', uid: 'node-2' },
]

/** @param {number} now @returns {api.StatusView} */
export function status(now) {
  return {
    version: '0.1.0',
    cluster: 'demo',
    cluster_version: 'v1.36.1+demo',
    is_demo: true,
    is_synced: true,
    nodes: 3,
    mode: 'review',
    model: null,
    gaps: [{ what: 'ConfigMaps in kube-system', reason: 'forbidden: the role may not list configmaps there' }],
    troubles: [],
    feed_head: 100,
    now_us: now,
    open_incidents: 2,
    lines: 184_210,
    events: 412,
    set_aside: 2,
    index: {
      model: 'all-MiniLM-L6-v2-int8',
      about: 'all-MiniLM-L6-v2-int8, on this machine',
      documents: 430,
      words_waiting: 0,
      vectors_waiting: 12,
      texts: 418,
      tokens: 31_200,
      cost_usd: 0,
    },
  }
}

/** @returns {api.DatabaseView} */
export function database() {
  return {
    product: 'MariaDB',
    version: '10.11.6',
    abilities: [
      { name: 'Vectors', state: 'missing', about: 'Texts are compared by meaning in the co-pilot instead, exactly.' },
      { name: 'Vector index', state: 'missing', about: 'Every text is compared in the co-pilot instead.' },
      { name: 'Full text', state: 'unused', about: "It cuts texts into other words; the co-pilot's own word index finds the same on every database." },
      { name: 'Partitions by day', state: 'used', about: 'Old events and spans go by whole days.' },
      { name: 'Scattered keys', state: 'unneeded', about: 'New rows all lie in one place; their keys count up.' },
    ],
  }
}

/** @param {number} now @returns {api.TokenView[]} */
export function tokens(now) {
  const day = 86_400_000_000
  /** @type {api.TokenView} */
  const maya = {
    id: '7f3b1c2d9e04',
    kind: 'person',
    name: 'maya',
    role: 'responder',
    created_us: now - 3 * day,
    created_by: 'root by command',
    expires_us: now + 27 * day,
    used_us: now - day / 12,
    revoked_us: null,
    state: 'open',
  }
  return [
    maya,
    { ...maya, id: '19c0aa51be77', kind: 'sender', name: 'fluent-bit', role: null, expires_us: null },
    { ...maya, id: 'd00d3f6a8812', name: 'tom', used_us: null, revoked_us: now - day, state: 'revoked' },
  ]
}

/**
 * @param {string} app @param {number} index @param {Partial<api.PodView>} [more]
 * @returns {api.PodView}
 */
function pod(app, index, more = {}) {
  const suffix = (index * 7919 + 48_271).toString(36).slice(-5).padStart(5, 'x')
  return {
    name: `${app}-6d4b75cb6d-${suffix}`,
    uid: `${app}-${index}`,
    workload: app,
    node: `demo-node-${(index % 3) + 1}`,
    health: 'healthy',
    reason: '',
    restarts: 0,
    memory_limit_bytes: 128 * MI,
    memory_bytes: (40 + ((index * 13) % 40)) * MI,
    incident_id: null,
    ...more,
  }
}

/** @param {string} name @param {number} count @param {api.PodView[]} [worst] @returns {api.NamespaceView} */
function namespace(name, count, worst = []) {
  const rest = Array.from({ length: count - worst.length }, (_, index) =>
    pod(`${name}-app`, index),
  )
  return {
    name,
    is_demo: name === 'shop',
    pods: [...worst, ...rest],
    failing: worst.filter((each) => each.health === 'failing').length,
    degraded: worst.filter((each) => each.health === 'degraded').length,
  }
}

/** @param {number} now @returns {api.ClusterView} */
export function cluster(now) {
  const oom = { reason: 'CrashLoopBackOff after OOMKilled', incident_id: 3, restarts: 4 }
  const namespaces = [
    namespace('shop', 24, [
      pod('checkout', 1, { ...oom, health: 'failing', memory_limit_bytes: 32 * MI, memory_bytes: 31.6 * MI }),
      pod('checkout', 2, { ...oom, health: 'failing', memory_limit_bytes: 32 * MI, memory_bytes: 29 * MI }),
      pod('cart', 1, { health: 'degraded', reason: 'not ready', incident_id: 2 }),
      pod('web', 1, { health: 'pending', reason: 'ContainerCreating', memory_bytes: null }),
    ]),
    namespace('payments', 30, [pod('ledger', 1, { health: 'degraded', reason: 'restarted after OOMKilled', restarts: 1 })]),
    namespace('catalog', 22),
    namespace('messaging', 18),
    namespace('platform', 14, [pod('backup-29', 1, { health: 'completed', memory_limit_bytes: null, memory_bytes: null })]),
    namespace('kube-system', 11),
  ]
  const pods = namespaces.flatMap((each) => each.pods)
  const count = (/** @type {api.Health} */ health) => pods.filter((each) => each.health === health).length
  return {
    namespaces,
    counts: {
      failing: count('failing'),
      degraded: count('degraded'),
      pending: count('pending'),
      healthy: count('healthy'),
      completed: count('completed'),
    },
    open_incidents: 2,
    resolved_incidents_30d: 1,
    mtta_seconds_30d: 41,
    mttr_seconds_30d: 58,
    is_synced: true,
    updated_us: now,
  }
}

/** @param {number} now @returns {api.Incident} */
export function incident(now) {
  return {
    id: 3,
    status: 'awaiting_approval',
    severity: 1,
    title: 'checkout is killed for memory (OOMKilled) again and again',
    summary: '',
    cluster: 'demo',
    namespace: 'shop',
    app: 'checkout',
    workload: WORKLOAD,
    open_key: 'demo/shop/Deployment/checkout',
    first_signal_us: now - 254 * SECOND,
    opened_us: now - 252 * SECOND,
    updated_us: now - 200 * SECOND,
    acknowledged_us: null,
    acknowledged_by: null,
    resolved_us: null,
    resolution: null,
    mttr_seconds: null,
    rev: 4,
  }
}

/** @param {number} now @returns {api.Incident} */
function readiness(now) {
  return {
    ...incident(now),
    id: 2,
    status: 'investigating',
    severity: 2,
    title: 'cart fails its readiness probe',
    app: 'cart',
    workload: { ...WORKLOAD, name: 'cart', uid: 'dep-2' },
    first_signal_us: now - 95 * SECOND,
    opened_us: now - 94 * SECOND,
  }
}

/** @param {number} now @returns {api.Incident} */
export function resolved(now) {
  return {
    ...incident(now),
    id: 1,
    status: 'resolved',
    title: 'checkout is killed for memory (OOMKilled)',
    first_signal_us: now - 26 * 60 * MINUTE,
    opened_us: now - 26 * 60 * MINUTE,
    acknowledged_us: now - 26 * 60 * MINUTE + 20 * SECOND,
    acknowledged_by: 'maya',
    resolved_us: now - 26 * 60 * MINUTE + 58 * SECOND,
    resolution: 'memory limit of app 32Mi → 64Mi held',
    mttr_seconds: 58,
  }
}

/** @param {number} now @returns {api.IncidentRow[]} */
export function incidentRows(now) {
  return [
    { incident: incident(now), stage: 'Fix proposed', alerts: 2 },
    { incident: readiness(now), stage: 'Looking for the cause', alerts: 1 },
    { incident: resolved(now), stage: 'Resolved in 58 s', alerts: 1 },
  ]
}

const DIFF = `--- before
+++ after
@@ -31,9 +31,9 @@
       containers:
       - image: registry.local/shop/checkout:2.31.0
         name: app
         resources:
           limits:
-            memory: 32Mi
+            memory: 64Mi
           requests:
-            memory: 32Mi
+            memory: 64Mi
       restartPolicy: Always`

/** @param {number} now @returns {api.ProposalView} */
export function proposal(now) {
  return {
    id: 1,
    incident_id: 3,
    kind: 'set_memory',
    target: WORKLOAD,
    title: 'Raise the memory limit of app 32Mi → 64Mi',
    why: 'The kill cut the peak off at the limit, so the true need is unknown: one step up, then watched.',
    evidence: ['E1', 'E3'],
    hypothesis: 'H1',
    diff: DIFF,
    dry_run_accepted: true,
    dry_run_message: '',
    patch: '{"spec":{}}',
    rollback: '{"spec":{}}',
    no_rollback_reason: '',
    command:
      'kubectl -n shop set resources deployment/checkout -c app --limits=memory=64Mi --requests=memory=64Mi',
    risk: 'low',
    risk_reasons: ['one Deployment, 2 replicas', 'fits the free memory of every node'],
    disruption: 'rolling restart of 2 pods, one at a time',
    window_s: 120,
    status: 'proposed',
    refusal: '',
    digest: 'a'.repeat(64),
    created_us: now - 249 * SECOND,
    expires_us: now + 25 * MINUTE,
    approvals: [],
    approvals_needed: 1,
    operations: [],
    watched: { kind: 'Deployment', namespace: 'shop', name: 'checkout', uid: 'uid-checkout' },
    way: 'cluster',
    verification: null,
    pull_request: null,
  }
}

/** @param {number} now @returns {api.ProposalView} */
function rollBack(now) {
  return {
    ...proposal(now),
    id: 2,
    kind: 'roll_back',
    title: 'Roll back to revision 4',
    why: 'Revision 4 ran for six hours without a kill.',
    risk: 'medium',
    risk_reasons: ['takes back the new image as well'],
    command: 'kubectl -n shop rollout undo deployment/checkout --to-revision=4',
    digest: 'b'.repeat(64),
  }
}

/**
 * @param {number} now @param {number} seq @param {number} ago @param {api.EntryKind} kind
 * @param {string} actor @param {string} title @param {string} detail @param {string[]} cited
 * @returns {api.TimelineEntry}
 */
function entry(now, seq, ago, kind, actor, title, detail, cited) {
  const ts_us = now - ago * SECOND
  return { incident_id: 3, seq, ts_us, kind, actor, title, detail, evidence: cited }
}

/** @param {number} now @returns {api.TimelineEntry[]} */
export function timeline(now) {
  return [
    entry(now, 1, 252, 'opened', 'watcher', 'Incident opened', 'first alert: OOMKilled', []),
    entry(now, 2, 254, 'signal', 'kubelet', 'OOMKilled ×3', 'container app · exit 137 · limit 32Mi', ['E1']),
    entry(now, 3, 402, 'change', 'kubectl-edit', 'memory limit of app 64Mi → 32Mi', 'Deployment shop/checkout, generation 7', ['E3']),
    entry(now, 4, 250, 'finding', 'detective', '3 hypotheses, 1 supported', 'ranked in 0.3 s', ['E1', 'E2', 'E3']),
    entry(now, 5, 250, 'runbook', 'runbook', 'Runbook: a container is killed for memory', '', []),
    entry(now, 6, 249, 'proposal', 'remediator', 'Fix proposed: memory limit 32Mi → 64Mi', 'dry run accepted', ['E3']),
    entry(now, 7, 244, 'notification', 'reporter', 'Posted to #incidents', '', []),
  ]
}

/** @param {number} now @returns {api.Evidence[]} */
export function evidence(now) {
  return [
    {
      id: 'E1',
      kind: 'object',
      title: 'checkout-6d4b75cb6d-k2x9p: lastState OOMKilled, exit 137, 4 restarts',
      occurred_us: now - 254 * SECOND,
      source: 'object:pod-1@48213',
      body: '{"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}},"restartCount":4}',
    },
    {
      id: 'E2',
      kind: 'log',
      title: 'batch flush failed: allocate 64Mi: out of memory (batch_size=2000)',
      occurred_us: now - 255 * SECOND,
      source: 'log:12:340',
      body: 'batch flush failed: allocate 64Mi: out of memory (batch_size=2000)',
    },
    {
      id: 'E3',
      kind: 'change',
      title: 'memory limit of app 64Mi → 32Mi by kubectl-edit, 2m 28s before the first kill',
      occurred_us: now - 402 * SECOND,
      source: 'change:dep-1@1',
      body: '{"fields":[{"path":"spec.template.spec.containers[app].resources.limits.memory","before":"64Mi","after":"32Mi"}]}',
    },
    {
      id: 'E4',
      kind: 'metric',
      title: 'working set reaches 31.9Mi of 32Mi in 40 s, in each of 4 lives',
      occurred_us: now - 256 * SECOND,
      source: 'metric:container.memory.working_set{checkout-6d4b75cb6d-k2x9p/app}',
      body: '09:05:00 12Mi\n09:05:20 22Mi\n09:05:40 31.9Mi',
    },
    {
      id: 'E5',
      kind: 'incident',
      title: 'INC-1: the same workload, fixed by memory limit 32Mi → 64Mi',
      occurred_us: now - 26 * 60 * MINUTE,
      source: 'incident:1',
      body: '',
    },
  ]
}

/** @returns {api.Hypothesis[]} */
export function hypotheses() {
  return [
    {
      id: 'H1',
      cause: 'memory_limit_too_low',
      subject: null,
      detail: '',
      title: 'The memory limit of 32Mi is below what the container needs',
      verdict: 'supported',
      confidence: 0.92,
      supporting: [
        { text: 'Each life of the container ends at the limit with OOMKilled and exit 137.', evidence: ['E1', 'E4'] },
        { text: 'The limit was halved from 64Mi shortly before the first kill.', evidence: ['E3'] },
        { text: 'Its last words are about an allocation that failed.', evidence: ['E2'] },
      ],
      against: [],
      next_check: '',
      agent: 'detective',
    },
    {
      id: 'H2',
      cause: 'memory_leak',
      subject: null,
      detail: '',
      title: 'The application leaks memory',
      verdict: 'inconclusive',
      confidence: 0.21,
      supporting: [{ text: 'The working set grows in a straight line until the kill.', evidence: ['E4'] }],
      against: [{ text: 'The growth began with the change of the limit, not with a new image.', evidence: ['E3'] }],
      next_check: 'Growth beyond 64Mi after the limit is raised would speak for a leak.',
      agent: 'detective',
    },
    {
      id: 'H3',
      cause: 'bad_rollout',
      subject: null,
      detail: '',
      title: 'A new image made it worse',
      verdict: 'refuted',
      confidence: 0.04,
      supporting: [],
      against: [{ text: 'The image is the same as before the first kill.', evidence: ['E3'] }],
      next_check: '',
      agent: 'detective',
    },
  ]
}

/** @param {number} now @returns {api.RoomView} */
export function room(now) {
  return {
    incident: incident(now),
    stage: 'Fix proposed',
    alerts: [
      {
        fingerprint: 'a1',
        rule: 'oom_killed',
        cluster: 'demo',
        workload: WORKLOAD,
        pod: 'checkout-6d4b75cb6d-k2x9p',
        container: 'app',
        node: 'demo-node-1',
        severity: 1,
        title: 'container app is killed for memory',
        message: '',
        starts_us: now - 254 * SECOND,
        last_us: now - 12 * SECOND,
        count: 4,
        source: 'pod status',
        is_firing: true,
      },
      {
        fingerprint: 'a2',
        rule: 'crash_loop',
        cluster: 'demo',
        workload: WORKLOAD,
        pod: 'checkout-6d4b75cb6d-k2x9p',
        container: 'app',
        node: 'demo-node-1',
        severity: 2,
        title: 'container app crashes in a loop',
        message: '',
        starts_us: now - 214 * SECOND,
        last_us: now - 20 * SECOND,
        count: 3,
        source: 'event',
        is_firing: true,
      },
    ],
    timeline: timeline(now),
    summary: [
      { text: 'Both pods of checkout are killed for memory about every 40 seconds.', evidence: ['E1', 'E4'] },
      { text: 'Somebody halved the memory limit to 32Mi two minutes before.', evidence: ['E3'] },
      { text: 'The same happened before, and a limit of 64Mi held.', evidence: ['E5'] },
    ],
    hypotheses: hypotheses(),
    dropped: 1,
    model: '',
    evidence: evidence(now),
    gaps: [{ what: 'Logs of the container’s first life', reason: 'the kubelet keeps one previous log only' }],
    proposals: [proposal(now), rollBack(now)],
    runbooks: [
      {
        runbook_id: 1,
        slug: 'oom-killed',
        title: 'A container is killed for memory',
        score: 0.91,
        reason: 'rule oom_killed and cause memory_limit_too_low',
        steps: [
          'Confirm exit code 137 and the limit that was hit',
          'Compare the working set with the limit before and after the last change',
          'Raise the limit one step, or take the change back',
          'Watch two lives of the container',
        ],
      },
      {
        runbook_id: 2,
        slug: 'crash-loop',
        title: 'A container crashes in a loop',
        score: 0.62,
        reason: 'rule crash_loop',
        steps: [],
      },
    ],
    similar: [
      {
        incident_id: 1,
        title: 'checkout is killed for memory (OOMKilled)',
        fix: 'memory limit of app 32Mi → 64Mi',
        has_held: true,
        mttr_seconds: 58,
        score: 0.93,
        reason: 'same workload, same cause',
      },
    ],
    moves: ['investigating', 'open', 'remediating', 'resolved'],
    feed_head: 100,
  }
}

/** @param {number} now @returns {api.MemoryChart} */
export function memory(now) {
  const start = now - 12 * MINUTE
  const cut = now - 402 * SECOND
  /** @param {number} phase @returns {api.ChartPoint[]} */
  const points = (phase) =>
    Array.from({ length: 144 }, (_, index) => {
      const ts_us = start + index * 5 * SECOND
      if (ts_us < cut) return { ts_us, value: (36 + 3 * Math.sin(index / 5 + phase)) * MI }
      const life = ((ts_us - cut) / SECOND + phase * 11) % 62
      return { ts_us, value: life < 40 ? (9 + life * 0.572) * MI : -1 }
    }).filter((point) => point.value > 0)
  return {
    title: 'Memory of checkout',
    lines: [
      { label: 'checkout-6d4b75cb6d-k2x9p/app', points: points(0) },
      { label: 'checkout-6d4b75cb6d-qz7vd/app', points: points(2) },
    ],
    limit: [
      { ts_us: start, value: 64 * MI },
      { ts_us: cut, value: 32 * MI },
    ],
    marks: [
      { ts_us: cut, label: 'memory limit 64Mi → 32Mi', kind: 'change' },
      { ts_us: now - 254 * SECOND, label: 'OOMKilled', kind: 'alert' },
    ],
    since_us: start,
    until_us: now,
    gap: '',
  }
}

/** @param {number} now @returns {api.ChangeView[]} */
export function changes(now) {
  return [
    {
      object: WORKLOAD,
      ts_us: now - 402 * SECOND,
      actor: 'kubectl-edit',
      title: 'memory limit of app 64Mi → 32Mi',
      fields: [],
      incident_id: 3,
      seconds_before: 148,
    },
    {
      object: { kind: 'Deployment', namespace: 'shop', name: 'web', uid: 'dep-3' },
      ts_us: now - 21 * MINUTE,
      actor: 'argocd',
      title: 'image web 9.4.0 → 9.4.1',
      fields: [],
      incident_id: null,
      seconds_before: null,
    },
    {
      object: { kind: 'ConfigMap', namespace: 'platform', name: 'ingress-nginx-controller', uid: 'cm-1' },
      ts_us: now - 44 * MINUTE,
      actor: 'terraform',
      title: 'proxy-read-timeout 30 → 45',
      fields: [],
      incident_id: null,
      seconds_before: null,
    },
  ]
}

/** @param {number} now @param {string} address @returns {api.LogWindow} */
export function logs(now, address) {
  const [segment, line] = address.split(':').map(Number)
  const at = line ?? 340
  return {
    address,
    lines: Array.from({ length: 81 }, (_, index) => {
      const number = at - 40 + index
      const isCited = number === at
      return {
        address: `${segment}:${number}`,
        ts_us: now - 255 * SECOND + (number - at) * 40_000,
        level: isCited || number === at + 2 ? 'error' : number % 17 === 0 ? 'warn' : 'info',
        namespace: 'shop',
        app: 'checkout',
        pod: 'checkout-6d4b75cb6d-k2x9p',
        container: 'app',
        body: isCited
          ? 'batch flush failed: allocate 64Mi: out of memory (batch_size=2000)'
          : `POST /v1/charges 201 ${(number * 7) % 60}ms trace=${(number * 7919).toString(16)}`,
      }
    }),
  }
}

/** @param {number} now @param {string} q @returns {api.SearchView} */
export function search(now, q) {
  if (q.includes('nothing')) {
    return { hits: [], words: ['nothing'], next: 'further', looked_back_to_us: now - 60 * MINUTE, scanned_lines: 50_000, took_ms: 31 }
  }
  /** @type {api.Hit[]} */
  const hits = [
    { kind: 'incident', ref: '3', ts_us: now - 252 * SECOND, title: incident(now).title, snippet: 'The memory limit of 32Mi is below what the container needs', namespace: 'shop', app: 'checkout', level: '', score: 9.1 },
    { kind: 'runbook', ref: 'oom-killed', ts_us: 0, title: 'A container is killed for memory', snippet: 'Exit code 137 and the reason OOMKilled mean that the kernel killed it for memory.', namespace: '', app: '', level: '', score: 8 },
    { kind: 'change', ref: 'dep-1@1', ts_us: now - 402 * SECOND, title: 'memory limit of app 64Mi → 32Mi', snippet: 'Deployment shop/checkout by kubectl-edit', namespace: 'shop', app: 'checkout', level: '', score: 6 },
    { kind: 'event', ref: '7', ts_us: now - 250 * SECOND, title: 'BackOff: back-off restarting failed container app', snippet: 'back-off 40s restarting failed container=app pod=checkout-6d4b75cb6d-k2x9p', namespace: 'shop', app: 'checkout', level: 'warn', score: 5 },
    { kind: 'log', ref: '12:340', ts_us: now - 255 * SECOND, title: 'batch flush failed: allocate 64Mi: out of memory (batch_size=2000)', snippet: '', namespace: 'shop', app: 'checkout', level: 'error', score: 4 },
    { kind: 'log', ref: '12:341', ts_us: now - 254 * SECOND, title: '<script>alert("out of memory")</script>', snippet: '', namespace: 'shop', app: 'checkout', level: 'error', score: 3 },
  ]
  return { hits, words: q.split(' '), next: 'page-2', looked_back_to_us: now - 10 * MINUTE, scanned_lines: 900, took_ms: 12 }
}

/** @param {string} value @param {number} n */
function facet(value, n, is_least = false) {
  return { value, n, is_least }
}

/** @param {number} now @returns {api.SearchCounts} */
export function searchCounts(now) {
  const first = now - (now % (10 * SECOND)) - 590 * SECOND
  return {
    counted: {
      kinds: [facet('log', 1204, true), facet('event', 3), facet('incident', 1), facet('runbook', 1), facet('change', 2)],
      namespaces: [facet('shop', 1100, true), facet('payments', 110, true)],
      apps: [facet('checkout', 1100, true), facet('ledger', 110, true)],
      levels: [facet('info', 1000, true), facet('error', 204, true)],
      bars: Array.from({ length: 60 }, (_, bar) => {
        const n = bar < 20 ? 0 : (bar * 7) % 31
        return { ts_us: first + bar * 10 * SECOND, n, n_severe: Math.floor(n / 4) }
      }),
      bar_us: 10 * SECOND,
      looked_back_to_us: now - 400 * SECOND,
      scanned_lines: 500_000,
    },
    took_ms: 140,
  }
}

/** @param {number} now @returns {api.StoredEvent} */
export function storedEvent(now) {
  return {
    id: 7,
    ts_us: now - 250 * SECOND,
    signal: 'kube_events',
    level: 'warn',
    reason: 'BackOff',
    cluster: 'demo',
    namespace: 'shop',
    app: 'checkout',
    pod: 'checkout-6d4b75cb6d-k2x9p',
    object: { kind: 'Pod', namespace: 'shop', name: 'checkout-6d4b75cb6d-k2x9p', uid: 'pod-1' },
    uid: 'event-7',
    count: 4,
    body: 'back-off 40s restarting failed container=app pod=checkout-6d4b75cb6d-k2x9p',
    address: '',
  }
}

/** @param {number} now @returns {api.RunbookView[]} */
export function runbooks(now) {
  return [
    {
      slug: 'oom-killed',
      title: 'A container is killed for memory',
      service: '',
      tags: ['memory', 'oom_killed'],
      body: '# A container is killed for memory\n\nExit code **137** and the reason `OOMKilled` mean that the kernel killed the container because it went over its memory limit.\n\n## Look\n\n1. Is the limit lower than it was? `kubectl -n NS rollout history deployment/NAME`\n2. Does the working set grow in a straight line over several lives? Then it may be a leak.\n\n## Fix\n\n- Raise the limit one step and watch two lives of the container.\n- Or take the change back:\n\n```sh\nkubectl -n NS rollout undo deployment/NAME\n```\n\n<b>Raw HTML stays text.</b>\n',
      updated_us: now - 3 * 24 * 60 * MINUTE,
    },
    { slug: 'crash-loop', title: 'A container crashes in a loop', service: '', tags: ['crash_loop'], body: '# A container crashes in a loop\n\nRead the last words of its previous life first.\n', updated_us: now - 9 * 24 * 60 * MINUTE },
    { slug: 'image-pull', title: 'An image cannot be pulled', service: 'registry', tags: ['image_pull'], body: '# An image cannot be pulled\n\nIs the name right?\n', updated_us: now - 9 * 24 * 60 * MINUTE },
  ]
}

/** @param {number} now @returns {api.AuditPage} */
export function audit(now) {
  const row = (/** @type {number} */ seq, /** @type {string} */ actor, /** @type {string} */ action, /** @type {string} */ object, /** @type {string} */ detail) => ({
    chain: 'incident-1',
    seq,
    ts_us: now - 26 * 60 * MINUTE + seq * 9 * SECOND,
    actor,
    action,
    object,
    detail,
    hash: (seq * 99_991).toString(16).padStart(8, 'c').repeat(8),
  })
  return {
    rows: [
      row(4, 'agent-remediator', 'proposal.verified', 'proposal 1', 'the rollout is complete and the rule is silent'),
      row(3, 'agent-remediator', 'proposal.applied', 'Deployment shop/checkout', 'resourceVersion 48219'),
      row(2, 'maya', 'proposal.approved', 'proposal 1', `digest ${'a'.repeat(12)}`),
      row(1, 'maya', 'incident.acknowledged', 'INC-1', ''),
    ],
    next_after: null,
    broken: [],
    intact_entries: 4,
    checked_us: now,
    whole_us: now - 12 * MINUTE,
  }
}

/** @param {number} now @returns {api.SetAside[]} */
export function setAside(now) {
  return [
    { id: 2, received_us: now - 5 * MINUTE, source: 'fluent-bit', reason: 'no field log or message', body: '{"date":1.5,"stream":"stdout"}' },
    { id: 1, received_us: now - 9 * MINUTE, source: 'otlp', reason: 'body is not UTF-8', body: '\ufffd\ufffd' },
  ]
}

/** @returns {api.ChaosView} */
export function chaos() {
  return {
    targets: [
      { object: { ...WORKLOAD, name: 'oom-demo', uid: 'dep-9' }, container: 'app', limit: '64Mi', chaos_limit: '32Mi', is_broken: false },
      { object: WORKLOAD, container: 'app', limit: '32Mi', chaos_limit: '16Mi', is_broken: true },
    ],
    reason: '',
  }
}
