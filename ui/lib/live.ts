import type { FeedMessage } from './api/types'

/** `reconnecting` as soon as the socket is lost or has been silent too long. */
export type LiveState = 'connecting' | 'live' | 'reconnecting'

/** What we need of a WebSocket. */
export interface Socket extends EventTarget {
  close(): void
}

export interface LiveOptions {
  /** The last sequence number that is on screen already. */
  since: number
  open: (since: number) => Socket
  onMessage: (message: FeedMessage) => void
  onState: (state: LiveState) => void
  /** The server said something, if only that it is there. */
  onWord?: () => void
  /** The server's feed is behind ours: it is another one, so nothing on screen can be trusted. */
  onReset: () => void
  random?: () => number
}

/** The server says something every few seconds; after this long without a word the line is dead. */
export const SILENCE_MS = 12_000
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 10_000

/**
 * Follow the feed until the returned function is called: each message once and in order, resumed
 * at the last one seen after every loss of the connection.
 */
export function follow({ random = Math.random, ...options }: LiveOptions): () => void {
  let last = options.since
  let failures = 0
  let isStopped = false
  let socket: Socket | null = null
  let retry: ReturnType<typeof setTimeout> | undefined
  let silence: ReturnType<typeof setTimeout> | undefined

  function connect(): void {
    const opened = options.open(last)
    socket = opened
    opened.addEventListener('message', (event) => {
      if (opened === socket && event instanceof MessageEvent) receive(event.data)
    })
    opened.addEventListener('close', () => {
      if (opened === socket) lost()
    })
    expectWord()
  }

  function receive(data: unknown): void {
    expectWord()
    options.onWord?.()
    const message = parseMessage(data)
    if (!message) return
    if (message.kind === 'hello') return greet(message.seq)
    if (message.kind === 'ping' || message.seq <= last) return
    last = message.seq
    options.onMessage(message)
  }

  function greet(head: number): void {
    failures = 0
    options.onState('live')
    if (head >= last) return
    last = head
    options.onReset()
  }

  function expectWord(): void {
    clearTimeout(silence)
    silence = setTimeout(lost, SILENCE_MS)
  }

  function lost(): void {
    const old = socket
    socket = null
    old?.close()
    clearTimeout(silence)
    if (isStopped) return
    options.onState('reconnecting')
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
    failures += 1
    retry = setTimeout(connect, longest * (0.5 + random() / 2))
  }

  options.onState('connecting')
  connect()
  return () => {
    isStopped = true
    clearTimeout(retry)
    lost()
  }
}

function parseMessage(data: unknown): FeedMessage | null {
  if (typeof data !== 'string') return null
  try {
    const value: unknown = JSON.parse(data)
    return isMessage(value) ? value : null
  } catch {
    return null
  }
}

function isMessage(value: unknown): value is FeedMessage {
  return (
    typeof value === 'object' &&
    value !== null &&
    'seq' in value &&
    typeof value.seq === 'number' &&
    'kind' in value &&
    typeof value.kind === 'string'
  )
}
