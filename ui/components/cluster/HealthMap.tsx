'use client'

import { clsx } from 'clsx'
import { useRouter } from 'next/navigation'
import { type KeyboardEvent, memo, useRef, useState } from 'react'
import { Badge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Empty } from '@/components/ui/States'
import type { ClusterView, Health, HealthCounts, NamespaceView, PodView } from '@/lib/api/types'
import { number, plural } from '@/lib/format'
import { HEALTH, HEALTHS } from '@/lib/labels'
import { podHref, PodDetail } from './PodDetail'

/** Every pod as a square, worst namespace and worst pod first; one tab stop, arrows inside. */
export function HealthMap({ cluster }: { cluster: ClusterView }) {
  const [selectedUid, setSelectedUid] = useState('')
  const grid = useRef<HTMLDivElement>(null)
  const router = useRouter()
  const pods = cluster.namespaces.flatMap(({ name, pods: inside }) =>
    inside.map((pod) => ({ namespace: name, pod })),
  )
  const selected = pods.find(({ pod }) => pod.uid === selectedUid) ?? pods[0]

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === 'Enter' && selected) router.push(podHref(selected.namespace, selected.pod))
    const next = grid.current && neighbour(grid.current, event.key)
    if (!next) return
    event.preventDefault()
    next.focus()
  }

  return (
    <Card title="Cluster health" className="@container" aside={<Legend counts={cluster.counts} />}>
      {pods.length === 0 ? (
        <Empty title={cluster.is_synced ? 'No pods in this cluster' : 'Taking a first look at the cluster'}>
          {cluster.is_synced ? 'They appear here as soon as something runs.' : 'This takes a few seconds.'}
        </Empty>
      ) : (
        <>
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the arrows of the buttons inside */}
          <div
            ref={grid}
            role="group"
            aria-label="Pods by namespace"
            onKeyDown={onKeyDown}
            className="grid @lg:grid-cols-2 @3xl:grid-cols-3"
          >
            {cluster.namespaces.map((namespace) => (
              <Namespace
                key={namespace.name}
                namespace={namespace}
                selectedUid={selected?.pod.uid ?? ''}
                onSelect={setSelectedUid}
              />
            ))}
          </div>
          {selected && <PodDetail namespace={selected.namespace} pod={selected.pod} />}
        </>
      )}
    </Card>
  )
}

interface NamespaceProps {
  namespace: NamespaceView
  selectedUid: string
  onSelect: (uid: string) => void
}

function Namespace({ namespace, selectedUid, onSelect }: NamespaceProps) {
  return (
    <section aria-label={namespace.name} className="-mr-px min-w-0 border-r border-b p-3">
      <h3 className="mb-2 flex min-h-5 flex-wrap items-center gap-x-1.5 gap-y-1">
        <span className="truncate mono text-meta font-medium">{namespace.name}</span>
        {namespace.failing > 0 && <Badge tone="crit">{namespace.failing} failing</Badge>}
        {namespace.degraded > 0 && <Badge tone="warn">{namespace.degraded} degraded</Badge>}
        <span className="ml-auto pl-2 text-meta whitespace-nowrap text-fg-3 tabular">
          {plural(namespace.pods.length, 'pod')}
        </span>
      </h3>
      <div className="grid grid-cols-[repeat(auto-fill,1.25rem)] gap-0.5 max-sm:grid-cols-[repeat(auto-fill,1.75rem)] max-sm:gap-1">
        {namespace.pods.map((pod) => (
          <Cell
            key={pod.uid}
            pod={pod}
            isSelected={pod.uid === selectedUid}
            onSelect={onSelect}
          />
        ))}
      </div>
    </section>
  )
}

const FILL: Record<Health, string> = {
  failing: 'bg-crit-fill',
  degraded: 'bg-warn-fill',
  pending: 'bg-info-fill',
  healthy: 'bg-ok-dim',
  completed: 'bg-idle',
}

interface CellProps {
  pod: PodView
  isSelected: boolean
  onSelect: (uid: string) => void
}

/** Kept as it is while the pointer moves over thousands of others. */
const Cell = memo(function Cell({ pod, isSelected, onSelect: onSelectUid }: CellProps) {
  const onSelect = () => onSelectUid(pod.uid)
  const name = `${pod.name}: ${HEALTH[pod.health].label}${pod.reason ? `, ${pod.reason}` : ''}`
  return (
    <button
      type="button"
      aria-label={name}
      title={name}
      aria-pressed={isSelected}
      tabIndex={isSelected ? 0 : -1}
      onClick={onSelect}
      onFocus={onSelect}
      onMouseEnter={onSelect}
      className={clsx(
        'grid aspect-square place-items-center rounded-[3px] focus-visible:outline-offset-1',
        FILL[pod.health],
        isSelected && pod.health !== 'healthy' && 'ring-2 ring-fg ring-offset-1 ring-offset-panel',
        isSelected && pod.health === 'healthy' && 'ring-1 ring-fg-3',
      )}
    >
      <Sign health={pod.health} />
    </button>
  )
})

/** Colour is never the only sign: a dot is failing, a bar degraded, a ring pending. */
function Sign({ health }: { health: Health }) {
  if (health === 'failing') return <span className="size-[45%] rounded-full bg-[oklch(0.18_0.05_25)]" />
  if (health === 'degraded') return <span className="mt-[35%] h-0.5 w-[55%] bg-[oklch(0.25_0.05_75)]" />
  if (health === 'pending') {
    return <span className="size-[45%] rounded-full border-[1.5px] border-[oklch(0.98_0.01_245)]" />
  }
  return null
}

function Legend({ counts }: { counts: HealthCounts }) {
  return (
    <ul className="flex flex-wrap gap-x-3.5 gap-y-1">
      {HEALTHS.map((health) => (
        <li key={health} className="flex items-center gap-1.5">
          <span aria-hidden className={clsx('size-2 rounded-[2px]', FILL[health])} />
          <span className="text-fg-2">{HEALTH[health].label}</span>
          <span>{number(counts[health])}</span>
        </li>
      ))}
    </ul>
  )
}

/** The square that an arrow key leads to; above and below by where they really are. */
function neighbour(grid: HTMLElement, key: string): HTMLElement | null {
  const cells = [...grid.querySelectorAll<HTMLElement>('button')]
  const at = cells.findIndex((cell) => cell === document.activeElement)
  const here = cells[at]
  if (!here) return null
  if (key === 'Home') return cells[0] ?? null
  if (key === 'End') return cells.at(-1) ?? null
  if (key === 'ArrowRight') return cells[at + 1] ?? null
  if (key === 'ArrowLeft') return cells[at - 1] ?? null
  if (key !== 'ArrowDown' && key !== 'ArrowUp') return null
  const from = here.getBoundingClientRect()
  const sign = key === 'ArrowDown' ? 1 : -1
  return closest(cells, (cell) => {
    const box = cell.getBoundingClientRect()
    const down = (box.top - from.top) * sign
    const across = Math.abs(box.left - from.left)
    // Straight ahead beats near: a square in the same column, however far, before one aside.
    return down < 1 ? Infinity : down + across * 10
  })
}

function closest(cells: HTMLElement[], distance: (cell: HTMLElement) => number): HTMLElement | null {
  let best: HTMLElement | null = null
  let least = Infinity
  for (const cell of cells) {
    const far = distance(cell)
    if (far < least) [best, least] = [cell, far]
  }
  return best
}

export function HealthMapSkeleton() {
  return (
    <Card title="Cluster health" className="@container">
      <div className="grid @lg:grid-cols-2 @3xl:grid-cols-3" aria-hidden>
        {[18, 12, 9].map((pods) => (
          <div key={pods} className="-mr-px border-r border-b p-3">
            <span className="skeleton mb-3 block h-3.5 w-24" />
            <div className="grid grid-cols-[repeat(auto-fill,1.25rem)] gap-0.5">
              {Array.from({ length: pods }, (_, pod) => (
                <span key={pod} className="skeleton aspect-square" />
              ))}
            </div>
          </div>
        ))}
      </div>
      <div className="h-11" />
    </Card>
  )
}
