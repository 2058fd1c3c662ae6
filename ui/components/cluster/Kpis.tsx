import { clsx } from 'clsx'
import type { ReactNode } from 'react'
import type { ClusterView } from '@/lib/api/types'
import { duration, number, percent, plural } from '@/lib/format'
import { HEALTHS } from '@/lib/labels'

/** Five figures, all from the one answer that the map is drawn from. */
export function Kpis({ cluster }: { cluster: ClusterView }) {
  const { counts } = cluster
  const pods = HEALTHS.reduce((sum, health) => sum + counts[health], 0)
  const unhealthy = counts.failing + counts.degraded
  return (
    <Frame>
      <Kpi
        label="Open incidents"
        value={number(cluster.open_incidents)}
        note={cluster.open_incidents === 0 ? 'nothing is wrong' : 'active now'}
        isBad={cluster.open_incidents > 0}
      />
      <Kpi
        label="Unhealthy pods"
        value={number(unhealthy)}
        note={`of ${number(pods)}${pods > 0 ? ` · ${percent(unhealthy / pods)}` : ''}`}
      />
      <Kpi label="MTTA · 30 d" {...time(cluster.mtta_seconds_30d, 'to acknowledge')} />
      <Kpi label="MTTR · 30 d" {...time(cluster.mttr_seconds_30d, 'from the first signal')} />
      <Kpi
        label="Resolved · 30 d"
        value={number(cluster.resolved_incidents_30d)}
        note={plural(cluster.namespaces.length, 'namespace') + ' watched'}
      />
    </Frame>
  )
}

function time(seconds: number | null, note: string): { value: string; note: string } {
  return seconds === null ? { value: '–', note: 'none yet' } : { value: duration(seconds), note }
}

function Frame({ children }: { children: ReactNode }) {
  return (
    <dl className="grid grid-cols-2 overflow-clip rounded-card border bg-panel sm:grid-cols-3 lg:grid-cols-5">
      {children}
    </dl>
  )
}

interface KpiProps {
  label: string
  value: string
  note: string
  isBad?: boolean
}

function Kpi({ label, value, note, isBad = false }: KpiProps) {
  return (
    <div className="-mr-px -mb-px min-w-0 border-r border-b px-3 py-2.5 max-sm:last:hidden">
      <dt className="truncate text-meta text-fg-2">{label}</dt>
      <dd>
        <span className={clsx('block text-figure font-semibold tracking-tight tabular', isBad && 'text-crit')}>
          {value}
        </span>
        <span className="block truncate text-meta text-fg-3">{note}</span>
      </dd>
    </div>
  )
}

export function KpisSkeleton() {
  return (
    <Frame>
      {['Open incidents', 'Unhealthy pods', 'MTTA · 30 d', 'MTTR · 30 d', 'Resolved · 30 d'].map((label) => (
        <div key={label} className="-mr-px -mb-px border-r border-b px-3 py-2.5 max-sm:last:hidden">
          <dt className="text-meta text-fg-2">{label}</dt>
          <dd>
            <span className="skeleton my-1 block h-5 w-12" />
            <span className="skeleton block h-3 w-20" />
          </dd>
        </div>
      ))}
    </Frame>
  )
}
