import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'
import type { Status } from './types'

/** Every read of the API, with the key under which the live stream finds it. */

export const meQuery = () =>
  queryOptions({ queryKey: ['me'], queryFn: () => unwrap(api.GET('/api/me')), staleTime: Infinity })

export const statusQuery = () =>
  queryOptions({ queryKey: ['status'], queryFn: () => unwrap(api.GET('/api/status')) })

/** It stays the same for as long as the gateway runs. */
export const databaseQuery = () =>
  queryOptions({
    queryKey: ['database'],
    queryFn: () => unwrap(api.GET('/api/database')),
    staleTime: Infinity,
  })

export const clusterQuery = () =>
  queryOptions({ queryKey: ['cluster'], queryFn: () => unwrap(api.GET('/api/cluster')) })

export const changesQuery = (minutes = 60) =>
  queryOptions({
    queryKey: ['changes', minutes],
    queryFn: () => unwrap(api.GET('/api/changes', { params: { query: { minutes } } })),
  })

export const OPEN: Status[] = ['open', 'investigating', 'awaiting_approval', 'remediating']
export const RESOLVED: Status[] = ['resolved']

export interface IncidentFilter {
  status: Status[]
  namespace?: string
  beforeId?: number
  limit?: number
}

export const incidentsQuery = (filter: IncidentFilter) => {
  const { status, namespace = '', beforeId = 0, limit = 25 } = filter
  return queryOptions({
    queryKey: ['incidents', status, namespace, beforeId, limit],
    queryFn: () =>
      unwrap(
        api.GET('/api/incidents', {
          params: { query: { status, namespace, before_id: beforeId, limit } },
        }),
      ),
    placeholderData: keepPreviousData,
  })
}

export const roomQuery = (id: number) =>
  queryOptions({
    queryKey: ['room', id],
    queryFn: () =>
      unwrap(api.GET('/api/incidents/{incident_id}', { params: { path: { incident_id: id } } })),
  })

/** What is being done about it right now, in words; only the live stream tells. */
export const progressQuery = (id: number) =>
  queryOptions({ queryKey: ['progress', id], queryFn: () => '', enabled: false, initialData: '' })

export const memoryQuery = (id: number) =>
  queryOptions({
    queryKey: ['memory', id],
    queryFn: () =>
      unwrap(
        api.GET('/api/incidents/{incident_id}/memory', { params: { path: { incident_id: id } } }),
      ),
  })

/** A stored line never changes, and neither do its neighbours once they are stored. */
export const logsQuery = (address: string) =>
  queryOptions({
    queryKey: ['logs', address],
    queryFn: () =>
      unwrap(api.GET('/api/logs', { params: { query: { address, before: 50, after: 50 } } })),
    staleTime: 60_000,
  })

export const eventQuery = (id: number) =>
  queryOptions({
    queryKey: ['event', id],
    queryFn: () =>
      unwrap(api.GET('/api/events/{event_id}', { params: { path: { event_id: id } } })),
    staleTime: 60_000,
  })

export const searchQuery = (q: string, after = '') =>
  queryOptions({
    queryKey: ['search', q, after],
    queryFn: () => unwrap(api.GET('/api/search', { params: { query: { q, after } } })),
    placeholderData: keepPreviousData,
  })

/** How the hits spread; slower than a page of them. */
export const searchCountsQuery = (q: string) =>
  queryOptions({
    queryKey: ['search-counts', q],
    queryFn: () => unwrap(api.GET('/api/search/counts', { params: { query: { q } } })),
    placeholderData: keepPreviousData,
  })

export const runbooksQuery = () =>
  queryOptions({ queryKey: ['runbooks'], queryFn: () => unwrap(api.GET('/api/runbooks')) })

export const runbookQuery = (slug: string) =>
  queryOptions({
    queryKey: ['runbooks', slug],
    queryFn: () => unwrap(api.GET('/api/runbooks/{slug}', { params: { path: { slug } } })),
  })

export const auditQuery = (chain: string, after: number) =>
  queryOptions({
    queryKey: ['audit', chain, after],
    queryFn: () => unwrap(api.GET('/api/audit', { params: { query: { chain, after } } })),
    placeholderData: keepPreviousData,
  })

export const setAsideQuery = () =>
  queryOptions({ queryKey: ['set-aside'], queryFn: () => unwrap(api.GET('/api/set-aside')) })

export const chaosQuery = () =>
  queryOptions({ queryKey: ['chaos'], queryFn: () => unwrap(api.GET('/api/chaos')) })

/** For admins; nobody else is answered. */
export const tokensQuery = () =>
  queryOptions({ queryKey: ['tokens'], queryFn: () => unwrap(api.GET('/api/tokens')) })
