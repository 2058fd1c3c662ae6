'use client'

import { useQuery } from '@tanstack/react-query'
import { clsx } from 'clsx'
import { CheckCircle2 } from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import { useRouter, useSearchParams } from 'next/navigation'
import { useState } from 'react'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { useActions } from '@/lib/actions'
import { incidentsQuery, OPEN, RESOLVED } from '@/lib/api/queries'
import type { IncidentPage } from '@/lib/api/types'
import { IncidentItem } from './IncidentItem'

type Shown = 'open' | 'resolved' | 'all'

/** The list; which part of it lives in the address. */
export function IncidentsPage() {
  const params = useSearchParams()
  const shown = readShown(params.get('show'))
  const namespace = params.get('ns') ?? ''
  const beforeId = Number(params.get('before') ?? 0)
  const status = { open: OPEN, resolved: RESOLVED, all: [] }[shown]
  const query = useQuery(incidentsQuery({ status, namespace, beforeId }))
  return (
    <div className="overflow-clip rounded-card border bg-panel">
      <Facets shown={shown} page={query.data} namespace={namespace} />
      <Loaded query={query} what="the incidents" skeleton={<RowSkeletons rows={8} height="h-16" />}>
        {(page) =>
          page.rows.length === 0 ? (
            <None shown={shown} isFirst={beforeId === 0} />
          ) : (
            <Rows key={`${shown} ${beforeId}`} page={page} />
          )
        }
      </Loaded>
      <Paging shown={shown} namespace={namespace} beforeId={beforeId} next={query.data?.next_before_id ?? null} />
    </div>
  )
}

function readShown(text: string | null): Shown {
  return text === 'resolved' || text === 'all' ? text : 'open'
}

function address(shown: Shown, namespace: string, beforeId = 0): string {
  const params = new URLSearchParams()
  if (shown !== 'open') params.set('show', shown)
  if (namespace) params.set('ns', namespace)
  if (beforeId) params.set('before', String(beforeId))
  return params.size === 0 ? '/incidents/' : `/incidents/?${params}`
}

interface FacetsProps {
  shown: Shown
  namespace: string
  page: IncidentPage | undefined
}

function Facets({ shown, namespace, page }: FacetsProps) {
  const counts = { open: page?.open, resolved: page?.resolved, all: page && page.open + page.resolved }
  const facets: [Shown, string][] = [
    ['open', 'Open'],
    ['resolved', 'Resolved'],
    ['all', 'All'],
  ]
  return (
    <nav aria-label="Which incidents" className="flex flex-wrap items-center gap-1 border-b p-1.5">
      {facets.map(([facet, label]) => (
        <PageLink
          key={facet}
          href={address(facet, namespace)}
          aria-current={facet === shown ? 'page' : undefined}
          className={clsx(
            'flex h-7 items-center gap-1.5 rounded-md px-2.5 font-medium max-sm:h-11',
            facet === shown ? 'bg-raised text-fg' : 'text-fg-2 hover:bg-raised',
          )}
        >
          {label}
          <span className="text-meta text-fg-3 tabular">{counts[facet] ?? '·'}</span>
        </PageLink>
      ))}
      {namespace && (
        <PageLink href={address(shown, '')} className="ml-auto rounded-md bg-raised px-2 py-1 text-meta">
          <span className="mono">ns:{namespace}</span> <span aria-hidden>×</span>
          <span className="sr-only">remove this filter</span>
        </PageLink>
      )}
    </nav>
  )
}

/** `j` and `k` walk the rows, Enter opens. */
function Rows({ page }: { page: IncidentPage }) {
  const router = useRouter()
  const [at, setAt] = useState(-1)
  const last = page.rows.length - 1
  const chosen = page.rows[at]
  useActions([
    { id: 'next', title: 'Next incident', group: 'View', keys: 'j', run: () => setAt((now) => Math.min(last, now + 1)) },
    { id: 'previous', title: 'Previous incident', group: 'View', keys: 'k', run: () => setAt((now) => Math.max(0, now - 1)) },
    {
      id: 'open',
      title: 'Open the chosen incident',
      group: 'View',
      keys: 'o',
      disabledReason: chosen ? '' : 'choose one with j or k',
      run: () => chosen && router.push(`/incident/?id=${chosen.incident.id}`),
    },
  ])
  return (
    <ul className="divide-y">
      {page.rows.map((row, index) => (
        <IncidentItem key={row.incident.id} row={row} isChosen={index === at} />
      ))}
    </ul>
  )
}

function None({ shown, isFirst }: { shown: Shown; isFirst: boolean }) {
  if (!isFirst) return <Empty title="No older incidents" />
  if (shown === 'open') {
    return (
      <Empty title="No open incidents" icon={<CheckCircle2 className="size-5 text-ok" aria-hidden />}>
        Everything that is watched is healthy. <PageLink href="/incidents/?show=resolved" className="underline">See what was resolved</PageLink>
      </Empty>
    )
  }
  return <Empty title="No incidents yet" />
}

interface PagingProps {
  shown: Shown
  namespace: string
  beforeId: number
  next: number | null
}

function Paging({ shown, namespace, beforeId, next }: PagingProps) {
  if (beforeId === 0 && next === null) return null
  const look = 'rounded-md border px-3 py-1.5 font-medium hover:bg-raised max-sm:py-3'
  return (
    <nav aria-label="Pages" className="flex justify-between gap-2 border-t p-2">
      {beforeId === 0 ? <span /> : <PageLink href={address(shown, namespace)} className={look}>Newest</PageLink>}
      {next !== null && <PageLink href={address(shown, namespace, next)} className={look}>Older</PageLink>}
    </nav>
  )
}
