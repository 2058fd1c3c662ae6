import type { QueryClient, QueryKey } from '@tanstack/react-query'
import { api, unwrap } from './api/client'
import { progressQuery, roomQuery } from './api/queries'
import type { FeedMessage, RoomView, TimelineEntry } from './api/types'

/** What a message of the feed makes stale; the timeline is merged instead of fetched again. */
export function staleKeys(message: FeedMessage): QueryKey[] {
  const room: QueryKey[] = message.incident_id === null ? [] : [['room', message.incident_id]]
  switch (message.kind) {
    case 'incident.updated':
      return [...room, ['incidents'], ['cluster'], ['status'], ['audit']]
    case 'findings.updated':
      return [...room, ['incidents']]
    case 'proposal.updated':
      return [...room, ['incidents'], ['chaos'], ['audit']]
    case 'objects.changed':
      return [['cluster'], ['chaos']]
    case 'change.added':
      return [['changes'], ['chaos']]
    case 'action.progress':
      return []
    default:
      return room
  }
}

const ROOM_MS = 150
const CLUSTER_MS = 1000

/** Writes the feed into the cache: what changed is fetched again, each at most once in its time. */
export function applyTo(client: QueryClient): (message: FeedMessage) => void {
  const waiting = new Map<string, ReturnType<typeof setTimeout>>()

  function soon(key: QueryKey, delay: number, run: () => Promise<void>): void {
    const name = JSON.stringify(key)
    if (waiting.has(name)) return
    const timer = setTimeout(() => {
      waiting.delete(name)
      void run()
    }, delay)
    waiting.set(name, timer)
  }

  return (message) => {
    const { incident_id: id } = message
    if (message.kind === 'action.progress' && id !== null) {
      client.setQueryData(progressQuery(id).queryKey, message.detail)
    }
    if (message.kind === 'timeline.added' && id !== null) {
      soon(['timeline', id], ROOM_MS, () => fetchTimeline(client, id))
      return
    }
    const delay = message.kind === 'objects.changed' ? CLUSTER_MS : ROOM_MS
    for (const queryKey of staleKeys(message)) {
      soon(queryKey, delay, () => client.invalidateQueries({ queryKey }))
    }
  }
}

async function fetchTimeline(client: QueryClient, id: number): Promise<void> {
  const { queryKey } = roomQuery(id)
  const room = client.getQueryData(queryKey)
  if (!room) return
  const after_seq = Math.max(0, ...room.timeline.map((entry) => entry.seq))
  const params = { path: { incident_id: id }, query: { after_seq } }
  try {
    const added = await unwrap(api.GET('/api/incidents/{incident_id}/timeline', { params }))
    client.setQueryData(queryKey, (now) => now && withEntries(now, added))
  } catch {
    // The whole room can be had where its delta could not.
    await client.invalidateQueries({ queryKey })
  }
}

/** The room with more entries in its timeline, each once. */
export function withEntries(room: RoomView, added: TimelineEntry[]): RoomView {
  const known = new Set(room.timeline.map((entry) => entry.seq))
  const fresh = added.filter((entry) => !known.has(entry.seq))
  return fresh.length === 0 ? room : { ...room, timeline: [...room.timeline, ...fresh] }
}

/** By the time things happened; entries that came late find their place. */
export function byTime(entries: TimelineEntry[]): TimelineEntry[] {
  return entries.toSorted((a, b) => a.ts_us - b.ts_us || a.seq - b.seq)
}
