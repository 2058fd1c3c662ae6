'use client'

import { clsx } from 'clsx'
import {
  Bell,
  Boxes,
  ChartLine,
  ChevronDown,
  FileText,
  GitCommitHorizontal,
  History,
  type LucideIcon,
  Radio,
} from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import { Card } from '@/components/ui/Card'
import { LogWindow } from '@/components/ui/LogWindow'
import { Empty } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import type { Evidence, EvidenceKind } from '@/lib/api/types'
import { openSource, pretty } from '@/lib/evidence'
import { incidentName, plural } from '@/lib/format'
import { setHash, useHash } from '@/lib/hash'
import { useIsLit } from '@/lib/lit'

/** Everything that is cited, kept whole; the address names the one that is open. */
export function EvidenceCard({ evidence }: { evidence: Evidence[] }) {
  const hash = useHash()
  return (
    <Card title="Evidence" aside={plural(evidence.length, 'item')} className="order-5 lg:order-none">
      {evidence.length === 0 ? (
        <Empty title="No evidence yet">What the agents find is kept here, whole.</Empty>
      ) : (
        <ul className="divide-y">
          {evidence.map((item) => (
            <Item key={item.id} item={item} isOpen={item.id === hash} />
          ))}
        </ul>
      )}
    </Card>
  )
}

const ICON: Record<EvidenceKind, LucideIcon> = {
  object: Boxes,
  event: Radio,
  log: FileText,
  metric: ChartLine,
  change: GitCommitHorizontal,
  alert: Bell,
  incident: History,
}

function Item({ item, isOpen }: { item: Evidence; isOpen: boolean }) {
  const isLit = useIsLit(item.id)
  const Icon = ICON[item.kind]
  return (
    <li id={item.id} data-testid={`evidence-${item.id}`} ref={scrollIfNamed} className={clsx(isLit && 'bg-info-soft')}>
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => setHash(isOpen ? '' : item.id)}
        className="grid w-full grid-cols-[1.75rem_1rem_minmax(0,1fr)_1rem] items-center gap-x-2 px-3 py-2 text-left hover:bg-raised"
      >
        <span className="mono text-meta text-fg-3">{item.id}</span>
        <Icon className="size-3.5 text-fg-3" aria-hidden />
        <span className="min-w-0">
          <span className="block mono text-meta break-words">{item.title}</span>
          <span className="block truncate text-meta text-fg-3">
            {item.kind} · <Time us={item.occurred_us} /> · {item.source}
          </span>
        </span>
        <ChevronDown className={clsx('size-4 text-fg-3 transition-transform', isOpen && 'rotate-180')} aria-hidden />
      </button>
      {isOpen && <Whole item={item} />}
    </li>
  )
}

function Whole({ item }: { item: Evidence }) {
  const source = openSource(item.source)
  return (
    <div role="region" aria-label={`${item.id} in full`} className="border-t bg-bg">
      {source.kind === 'log' && <LogWindow address={source.address} />}
      {source.kind === 'incident' && (
        <p className="px-3 pt-2">
          <PageLink href={`/incident/?id=${source.id}`} className="font-medium text-info underline">
            Open {incidentName(source.id)}
          </PageLink>
        </p>
      )}
      {source.kind !== 'log' && item.body && (
        <pre tabIndex={0} className="max-h-96 overflow-auto px-3 py-2 text-meta break-words whitespace-pre-wrap">
          {pretty(item.body)}
        </pre>
      )}
      {source.kind === 'log' && <Captured body={item.body} />}
    </div>
  )
}

/** As it was when it was cited, should the lines be gone by now. */
function Captured({ body }: { body: string }) {
  return (
    <details className="border-t px-3 py-2 text-meta">
      <summary className="text-fg-3">As captured</summary>
      <pre className="mt-1 break-words whitespace-pre-wrap">{body}</pre>
    </details>
  )
}

/** A link to `#E1` finds its evidence even though it came after the page. */
function scrollIfNamed(element: HTMLElement | null): void {
  if (element && location.hash === `#${element.id}`) element.scrollIntoView({ block: 'start' })
}
