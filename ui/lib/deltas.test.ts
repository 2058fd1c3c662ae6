import { QueryClient } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import * as make from '../mocks/fixtures.mjs'
import { fakeApi } from '../tests/fakeApi'
import { progressQuery, roomQuery } from './api/queries'
import type { FeedMessage } from './api/types'
import { applyTo, byTime, staleKeys, withEntries } from './deltas'

const NOW = 1_772_600_000_000_000

function message(kind: string, incident_id: number | null = 3): FeedMessage {
  return { seq: 1, kind, incident_id, ts_us: NOW, detail: 'no restart for 12 s' }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a message makes stale what it is about, and no other room', () => {
  expect(staleKeys(message('findings.updated'))).toContainEqual(['room', 3])
  expect(staleKeys(message('findings.updated'))).not.toContainEqual(['cluster'])
  expect(staleKeys(message('objects.changed', null))).toContainEqual(['cluster'])
})

test('many changes of objects make one refresh a second', async () => {
  const client = new QueryClient()
  const refreshed = vi.spyOn(client, 'invalidateQueries')
  const apply = applyTo(client)

  for (let index = 0; index < 50; index += 1) apply(message('objects.changed', null))
  await vi.advanceTimersByTimeAsync(1000)

  const ofCluster = refreshed.mock.calls.filter(([filter]) => filter?.queryKey?.[0] === 'cluster')
  expect(ofCluster).toHaveLength(1)
})

test('new entries are fetched from where the timeline ends and merged', async () => {
  const room = make.room(NOW)
  const added = { ...room.timeline[0], seq: 8, incident_id: 3, title: 'Acknowledged' }
  const asked = fakeApi({ 'GET /api/incidents/3/timeline': [added] })
  const client = new QueryClient()
  client.setQueryData(roomQuery(3).queryKey, room)

  applyTo(client)(message('timeline.added'))
  await vi.advanceTimersByTimeAsync(500)

  const shown = client.getQueryData(roomQuery(3).queryKey)?.timeline
  expect(shown?.map((entry) => entry.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(asked).toHaveLength(1)
})

test('progress of an action is shown without asking again', () => {
  const client = new QueryClient()

  applyTo(client)(message('action.progress'))

  expect(client.getQueryData(progressQuery(3).queryKey)).toBe('no restart for 12 s')
})

test('an entry that is there already is not doubled', () => {
  const room = make.room(NOW)

  expect(withEntries(room, room.timeline)).toBe(room)
})

test('a late entry finds its place by the time it happened', () => {
  const sorted = byTime(make.timeline(NOW))

  expect(sorted[0]?.kind).toBe('change')
  expect(sorted.map((entry) => entry.ts_us)).toEqual(sorted.map((entry) => entry.ts_us).toSorted())
})
