'use client'

import { useQuery } from '@tanstack/react-query'
import dynamic from 'next/dynamic'
import { PageLink } from '@/components/ui/PageLink'
import type { ReactNode } from 'react'
import { LogWindow } from '@/components/ui/LogWindow'
import { Loaded } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import { eventQuery, runbookQuery } from '@/lib/api/queries'
import type { Hit } from '@/lib/api/types'
import { pretty } from '@/lib/evidence'
import { incidentName, objectName } from '@/lib/format'

const Markdown = dynamic(() => import('@/components/ui/Markdown').then((it) => it.Markdown))

/** What a hit refers to, whole. */
export function HitBody({ hit }: { hit: Hit }) {
  switch (hit.kind) {
    case 'log':
      return <LogWindow address={hit.ref} />
    case 'event':
      return <EventBody id={Number(hit.ref)} />
    case 'incident':
      return (
        <Text text={hit.snippet}>
          <PageLink href={`/incident/?id=${hit.ref}`} className="font-medium text-info underline">
            Open {incidentName(Number(hit.ref))}
          </PageLink>
        </Text>
      )
    case 'runbook':
      return <RunbookBody slug={hit.ref} />
    case 'change':
      return <Text text={hit.snippet || hit.title} />
    default:
      return hit.kind satisfies never
  }
}

function Text({ text, children }: { text: string; children?: ReactNode }) {
  return (
    <div className="space-y-2 px-3 py-2.5">
      <p className="break-words whitespace-pre-wrap text-fg-2">{text}</p>
      {children}
    </div>
  )
}

function EventBody({ id }: { id: number }) {
  const query = useQuery(eventQuery(id))
  return (
    <Loaded query={query} what="the event" skeleton={<div className="skeleton m-3 h-16" />}>
      {(event) => (
        <>
          <p className="flex flex-wrap gap-x-3 border-b px-3 py-1.5 text-meta text-fg-3">
            <Time us={event.ts_us} look="full" />
            {event.reason && <span>{event.reason}</span>}
            {event.object && (
              <span className="mono break-all">
                {objectName(event.object)}
              </span>
            )}
            {event.count > 1 && <span>{event.count} times</span>}
          </p>
          <pre tabIndex={0} className="max-h-80 overflow-auto px-3 py-2 text-meta break-words whitespace-pre-wrap">
            {pretty(event.body)}
          </pre>
          {event.address && <LogWindow address={event.address} />}
        </>
      )}
    </Loaded>
  )
}

function RunbookBody({ slug }: { slug: string }) {
  const query = useQuery(runbookQuery(slug))
  return (
    <Loaded query={query} what="the runbook" skeleton={<div className="skeleton m-3 h-24" />}>
      {(runbook) => (
        <div className="max-h-96 overflow-auto px-3 py-3">
          <Markdown text={runbook.body} />
          <PageLink href={`/runbooks/?slug=${slug}`} className="mt-3 inline-block font-medium text-info underline">
            Open the runbook
          </PageLink>
        </div>
      )}
    </Loaded>
  )
}
