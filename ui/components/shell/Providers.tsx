'use client'

import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { ApiError } from '@/lib/api/client'
import { roomQuery, statusQuery } from '@/lib/api/queries'
import { applyTo } from '@/lib/deltas'
import { follow } from '@/lib/live'
import { liveStatus, setLiveStatus } from '@/lib/liveStatus'
import { serverNow, setServerNow } from '@/lib/now'

/** The cache that every view reads, and the one WebSocket that keeps it true. */
export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(newClient)
  return (
    <QueryClientProvider client={client}>
      <LiveStream />
      {children}
    </QueryClientProvider>
  )
}

function newClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 2000,
        // The stream tells what changed; polling is for when it is away, and a rare second look.
        refetchInterval: () => (liveStatus().state === 'live' ? 60_000 : 5000),
        retry: (failures, error) =>
          failures < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 500),
        retryDelay: (failures) => 300 * 2 ** failures,
      },
    },
  })
}

function LiveStream() {
  const client = useQueryClient()
  const status = useQuery(statusQuery())
  const nowUs = status.data?.now_us
  const hasStatus = status.data !== undefined

  useEffect(() => {
    if (nowUs !== undefined) setServerNow(nowUs)
  }, [nowUs])

  useEffect(() => {
    if (!hasStatus) return
    return follow({
      since: seenByAll(client),
      open: (since) => new WebSocket(socketAddress(since)),
      onMessage: applyTo(client),
      onState: (state) => setLiveStatus({ state }),
      onWord: () => setLiveStatus({ lastWordUs: serverNow() }),
      onReset: () => void client.invalidateQueries(),
    })
  }, [client, hasStatus])
  return null
}

/** The feed's position that everything on screen has at least reached. */
function seenByAll(client: QueryClient): number {
  const heads = client
    .getQueriesData<{ feed_head: number }>({ predicate: hasFeedHead })
    .flatMap(([, data]) => (data === undefined ? [] : [data.feed_head]))
  return heads.length === 0 ? 0 : Math.min(...heads)
}

const WITH_FEED_HEAD = [statusQuery().queryKey[0], roomQuery(0).queryKey[0]].map(String)

function hasFeedHead({ queryKey }: { queryKey: readonly unknown[] }): boolean {
  return WITH_FEED_HEAD.includes(String(queryKey[0]))
}

function socketAddress(since: number): string {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return `${scheme}://${location.host}/ws?since=${since}`
}
