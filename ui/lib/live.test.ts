import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FeedMessage } from './api/types'
import { follow, type LiveState, SILENCE_MS } from './live'

/** A socket whose server is the test. */
class FakeSocket extends EventTarget {
  constructor(readonly since: number) {
    super()
  }
  isClosed = false
  say(seq: number, kind: string): void {
    const data = JSON.stringify({ seq, kind, incident_id: null, ts_us: 0, detail: '' })
    this.dispatchEvent(new MessageEvent('message', { data }))
  }
  close(): void {
    this.isClosed = true
  }
  drop(): void {
    this.dispatchEvent(new Event('close'))
  }
}

function start(since = 5) {
  const sockets: FakeSocket[] = []
  const seen: FeedMessage[] = []
  const states: LiveState[] = []
  let resets = 0
  const stop = follow({
    since,
    open: (from) => {
      const socket = new FakeSocket(from)
      sockets.push(socket)
      return socket
    },
    onMessage: (message) => seen.push(message),
    onState: (state) => states.push(state),
    onReset: () => {
      resets += 1
    },
    random: () => 1,
  })
  const last = () => sockets.at(-1) ?? new FakeSocket(-1)
  return { sockets, seen, states, stop, last, resets: () => resets }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('it resumes at the last message seen, and shows each one once', () => {
  const live = start(5)
  live.last().say(7, 'hello')
  live.last().say(6, 'timeline.added')
  live.last().say(7, 'incident.updated')

  live.last().drop()
  vi.advanceTimersByTime(500)
  live.last().say(8, 'hello')
  live.last().say(7, 'incident.updated')
  live.last().say(8, 'timeline.added')

  expect(live.sockets.map((socket) => socket.since)).toEqual([5, 7])
  expect(live.seen.map((message) => message.seq)).toEqual([6, 7, 8])
})

test('a lost socket is told at once', () => {
  const live = start()
  live.last().say(5, 'hello')

  live.last().drop()

  expect(live.states).toEqual(['connecting', 'live', 'reconnecting'])
})

test('a server that falls silent counts as lost; a ping keeps the line', () => {
  const live = start()
  live.last().say(5, 'hello')
  vi.advanceTimersByTime(SILENCE_MS - 1)
  live.last().say(5, 'ping')
  vi.advanceTimersByTime(SILENCE_MS - 1)
  expect(live.states.at(-1)).toBe('live')

  vi.advanceTimersByTime(1)

  expect(live.states.at(-1)).toBe('reconnecting')
  expect(live.sockets[0]?.isClosed).toBe(true)
})

test('it waits longer after each failure, and starts over once it is live', () => {
  const live = start()
  for (const wait of [500, 1000, 2000]) {
    const before = live.sockets.length
    live.last().drop()
    vi.advanceTimersByTime(wait - 1)
    expect(live.sockets).toHaveLength(before)
    vi.advanceTimersByTime(1)
    expect(live.sockets).toHaveLength(before + 1)
  }
  live.last().say(5, 'hello')

  live.last().drop()
  vi.advanceTimersByTime(500)

  expect(live.sockets).toHaveLength(5)
})

test('a feed that starts over makes everything on screen void', () => {
  const live = start(90)

  live.last().say(3, 'hello')
  live.last().say(4, 'incident.updated')

  expect(live.resets()).toBe(1)
  expect(live.seen.map((message) => message.seq)).toEqual([4])
})

test('what is no message is ignored', () => {
  const live = start()
  live.last().say(5, 'hello')

  live.last().dispatchEvent(new MessageEvent('message', { data: '{' }))
  live.last().dispatchEvent(new MessageEvent('message', { data: '{"seq":"6"}' }))

  expect(live.seen).toEqual([])
})

test('after stopping it neither reconnects nor reports', () => {
  const live = start()
  live.last().say(5, 'hello')

  live.stop()
  vi.advanceTimersByTime(60_000)

  expect(live.sockets).toHaveLength(1)
  expect(live.states.at(-1)).toBe('live')
})
