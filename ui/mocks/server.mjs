// @ts-check
/**
 * The exported UI with invented data behind it, for looking at screens without a cluster:
 * `npm run build && npm run mock`. It serves what the gateway serves, under the same strict policy.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as make from './fixtures.mjs'

const OUT = fileURLToPath(new URL('../out/', import.meta.url))
const PORT = Number(process.env.PORT ?? 3210)

/** @type {Set<import('node:stream').Duplex>} */
const sockets = new Set()
let seq = 100
const started = Date.now() * 1000
const room = make.room(started)
const SECOND = 1_000_000

const now = () => Date.now() * 1000

/** @param {string} kind @param {number | null} incident_id */
function tell(kind, incident_id) {
  seq += 1
  send({ seq, kind, incident_id, ts_us: now(), detail: '' })
}

/** @param {object} message @param {Iterable<import('node:stream').Duplex>} [to] */
function send(message, to = sockets) {
  const text = Buffer.from(JSON.stringify(message))
  const head = text.length < 126 ? [0x81, text.length] : [0x81, 126, text.length >> 8, text.length & 255]
  for (const socket of to) socket.write(Buffer.concat([Buffer.from(head), text]))
}

/** @param {import('../lib/api/types').EntryKind} kind @param {string} actor @param {string} title */
function note(kind, actor, title) {
  const last = Math.max(...room.timeline.map((entry) => entry.seq))
  room.timeline.push({ incident_id: 3, seq: last + 1, ts_us: now(), kind, actor, title, detail: '', evidence: [] })
  tell('timeline.added', 3)
}

/** Approved, applied, verified, resolved: the whole of leg 3 in eight seconds. */
function approve() {
  const [fix] = room.proposals
  if (!fix) return
  fix.status = 'approved'
  fix.approvals = [{ proposal_id: 1, approver: 'maya', decision: 'approve', digest: fix.digest, reason: '', ts_us: now() }]
  Object.assign(room.incident, { status: 'remediating', acknowledged_us: now(), acknowledged_by: 'maya' })
  room.stage = 'Applying the fix'
  note('approval', 'maya', 'Approved: memory limit 32Mi → 64Mi')
  tell('incident.updated', 3)
  setTimeout(() => {
    fix.status = 'applied'
    room.stage = 'Verifying'
    note('action', 'agent-remediator', 'Applied: memory limit 32Mi → 64Mi')
    tell('proposal.updated', 3)
  }, 2000)
  setTimeout(() => {
    seq += 1
    const detail = 'rollout complete, no restart for 12 s of 48 s'
    send({ seq, kind: 'action.progress', incident_id: 3, ts_us: now(), detail })
  }, 3500)
  setTimeout(() => {
    fix.status = 'verified'
    fix.verification = {
      held: true,
      reason: 'No restart for 48 s, twice the longest earlier life; the rule is silent.',
      observed: ['rollout complete: 2 of 2 updated and ready', 'oom_killed: silent on live data', 'no restart in 48 s'],
      ended_us: now(),
      reverted: false,
    }
    const mttr = Math.round((now() - room.incident.first_signal_us) / SECOND)
    Object.assign(room.incident, { status: 'resolved', resolved_us: now(), mttr_seconds: mttr, resolution: 'memory limit 32Mi → 64Mi held' })
    room.stage = `Resolved in ${mttr} s`
    note('verification', 'agent-remediator', 'Verified: it held')
    tell('proposal.updated', 3)
    tell('incident.updated', 3)
  }, 8000)
}

/** @param {URL} url @param {string} method @returns {object | string | undefined} */
function answer(url, method) {
  const { pathname: path, searchParams: q } = url
  if (method === 'POST') return answerPost(path)
  const rows = make.incidentRows(now())
  const isOf = (/** @type {string} */ status) => !q.has('status') || q.getAll('status').includes(status)
  if (path === '/api/me') return { name: 'maya', role: 'admin', via: 'token', has_session: true }
  if (path === '/api/status') return { ...make.status(now()), feed_head: seq }
  if (path === '/api/database') return make.database()
  if (path === '/api/tokens') return make.tokens(now())
  if (path === '/api/cluster') return make.cluster(now())
  if (path === '/api/changes') return make.changes(started)
  if (path === '/api/incidents') {
    rows[0] = { incident: room.incident, stage: room.stage, alerts: 2 }
    return { rows: rows.filter((row) => isOf(row.incident.status)), next_before_id: null, open: 2, resolved: 1 }
  }
  if (path === '/api/incidents/3') return { ...room, feed_head: seq }
  if (path === '/api/incidents/3/memory') return make.memory(now())
  if (path === '/api/incidents/3/postmortem') return `# INC-3 ${room.incident.title}\n`
  if (path === '/api/incidents/3/timeline') return room.timeline.filter((entry) => entry.seq > Number(q.get('after_seq') ?? 0))
  if (path === '/api/logs') return make.logs(started, q.get('address') ?? '')
  if (path === '/api/search') return make.search(now(), q.get('q') ?? '')
  if (path === '/api/search/counts') return make.searchCounts(now())
  if (path === '/api/events/7') return make.storedEvent(now())
  if (path === '/api/runbooks') return make.runbooks(now())
  if (path.startsWith('/api/runbooks/')) return make.runbooks(now()).find((each) => path.endsWith(each.slug))
  if (path === '/api/audit') return make.audit(now())
  if (path === '/api/set-aside') return make.setAside(now())
  if (path === '/api/chaos') return make.chaos()
  return undefined
}

/** @param {string} path @returns {object | undefined} */
function answerPost(path) {
  if (path === '/api/proposals/1/approve') {
    approve()
    return { proposal: room.proposals[0] }
  }
  if (path === '/api/incidents/3/ack') {
    Object.assign(room.incident, { acknowledged_us: now(), acknowledged_by: 'maya' })
    note('status', 'maya', 'Acknowledged')
    return room.incident
  }
  if (path === '/api/incidents/3/notes') {
    note('note', 'maya', 'A note')
    return room.timeline.at(-1)
  }
  if (path === '/api/incidents/3/remediate') return room.proposals
  const [maya] = make.tokens(now())
  if (path === '/api/tokens') return { token: maya, secret: 'invented-for-this-screen-and-opens-nothing' }
  if (path.startsWith('/api/tokens/')) return { ...maya, state: 'revoked', revoked_us: now() }
  if (path === '/api/chaos') return { object: room.incident.workload, title: 'The limit of checkout was lowered to 32Mi', started_us: room.incident.opened_us }
  return undefined
}

const TYPES = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript'],
  ['.css', 'text/css'],
  ['.svg', 'image/svg+xml'],
  ['.woff2', 'font/woff2'],
  ['.txt', 'text/plain'],
])

/** @param {string} path */
async function file(path) {
  const name = normalize(path).replace(/\/$/, '/index.html')
  const body = await readFile(join(OUT, name))
  return { body, type: TYPES.get(extname(name)) ?? 'application/octet-stream' }
}

/** @param {Buffer} html */
function policy(html) {
  const inline = [...html.toString().matchAll(/<script(?![^>]*\ssrc=)[^>]*>(.*?)<\/script>/gs)]
  const hashes = inline.map(([, script]) => `'sha256-${createHash('sha256').update(script ?? '').digest('base64')}'`)
  return `default-src 'none'; script-src 'self' ${hashes.join(' ')}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`
}

/** What the page wants shown by `?mock=empty`, `error`, `forbidden` or `slow`. @param {URL} url @param {string | undefined} referer */
function wish(url, referer) {
  const page = referer ? new URL(referer).searchParams.get('mock') : null
  return url.pathname === '/api/status' || url.pathname === '/api/me' ? null : page
}

const EMPTY = new Map(
  Object.entries({
    '/api/incidents': { rows: [], next_before_id: null, open: 0, resolved: 0 },
    '/api/changes': [],
    '/api/runbooks': [],
    '/api/set-aside': [],
    '/api/audit': { ...make.audit(started), rows: [], intact_entries: 0 },
    '/api/chaos': { targets: [], reason: 'no namespace with a memory-limited workload has incident-copilot.io/demo=true' },
    '/api/search': { hits: [], words: [], next: '', looked_back_to_us: 0, scanned_lines: 0, took_ms: 4 },
    '/api/cluster': { ...make.cluster(started), namespaces: [], counts: { failing: 0, degraded: 0, pending: 0, healthy: 0, completed: 0 }, open_incidents: 0, mtta_seconds_30d: null, mttr_seconds_30d: null, resolved_incidents_30d: 0, is_synced: false },
    '/api/incidents/3/memory': { ...make.memory(started), lines: [], limit: [], marks: [], gap: 'the kubelet did not answer' },
    '/api/incidents/3': { ...room, summary: [], hypotheses: [], evidence: [], gaps: [], dropped: 0, proposals: [], runbooks: [], similar: [], timeline: [], stage: 'Looking for the cause', incident: { ...room.incident, status: 'open' } },
  }),
)

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', `http://127.0.0.1:${PORT}`)
  if (!url.pathname.startsWith('/api/')) {
    const found = await file(url.pathname).catch(() => file('/404.html').catch(() => null))
    if (!found) return response.writeHead(404).end('build the UI first: npm run build')
    const headers = { 'content-type': found.type, 'cache-control': 'no-cache' }
    const isPage = found.type.startsWith('text/html')
    return response.writeHead(200, isPage ? { ...headers, 'content-security-policy': policy(found.body) } : headers).end(found.body)
  }
  const asked = wish(url, request.headers.referer)
  if (asked === 'slow') await new Promise((done) => setTimeout(done, 20_000))
  if (asked === 'error') return problem(response, 500, 'Internal error', 'internal error; the log has it under 3f2a9c81b04d', '3f2a9c81b04d')
  if (asked === 'forbidden') return problem(response, 403, 'Refused', 'your token may not read this')
  const found = (asked === 'empty' && EMPTY.get(url.pathname)) || answer(url, request.method ?? 'GET')
  if (found === undefined) return problem(response, 404, 'NotFound', `there is no ${url.pathname}`)
  const isText = typeof found === 'string'
  response.writeHead(200, { 'content-type': isText ? 'text/markdown' : 'application/json' }).end(isText ? found : JSON.stringify(found))
})

/** @param {import('node:http').ServerResponse} response @param {number} status @param {string} title @param {string} detail @param {string | null} reference */
function problem(response, status, title, detail, reference = null) {
  response.writeHead(status, { 'content-type': 'application/problem+json' })
  response.end(JSON.stringify({ type: 'about:blank', title, status, detail, reference, proposal: null }))
}

server.on('upgrade', (request, socket) => {
  const key = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`)
  sockets.add(socket)
  for (const end of ['close', 'error', 'data']) socket.on(end, (data) => {
    // A close frame is answered by closing; nothing else comes from a screen.
    if (end === 'data' && (data[0] & 15) !== 8) return
    sockets.delete(socket)
    socket.destroy()
  })
  send({ seq, kind: 'hello', incident_id: null, ts_us: now(), detail: '' }, [socket])
})

setInterval(() => send({ seq, kind: 'ping', incident_id: null, ts_us: now(), detail: '' }), 5000)
server.listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}/`))
