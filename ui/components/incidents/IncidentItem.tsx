import { clsx } from 'clsx'
import { ChevronRight } from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import { SeverityBadge } from '@/components/ui/Badge'
import { Clock } from '@/components/ui/Clock'
import { Time } from '@/components/ui/Time'
import type { IncidentRow } from '@/lib/api/types'
import { duration, incidentName, objectName, plural } from '@/lib/format'

interface IncidentItemProps {
  row: IncidentRow
  isChosen: boolean
}

export function IncidentItem({ row: { incident, stage, alerts }, isChosen }: IncidentItemProps) {
  const isOpen = incident.status !== 'resolved'
  return (
    <li ref={isChosen ? show : null}>
      <PageLink
        href={`/incident/?id=${incident.id}`}
        className={clsx(
          'flex items-center gap-3 border-l-2 px-3 py-2.5 hover:bg-raised',
          isChosen ? 'border-focus bg-raised' : 'border-transparent',
        )}
      >
        <span className="flex w-24 shrink-0 flex-col items-start gap-1 sm:w-36 sm:flex-row sm:items-center">
          <SeverityBadge severity={incident.severity} isOpen={isOpen} />
          <span className="mono text-meta text-fg-3">{incidentName(incident.id)}</span>
        </span>
        <span className="min-w-0 flex-1">
          <span className={clsx('block break-words', isOpen && 'font-semibold')}>{incident.title}</span>
          <span className="block text-meta text-fg-3">
            <span className="mono">
              {incident.namespace || objectName(incident.workload)}
              {incident.namespace && incident.app && ` / ${incident.app}`}
            </span>
            {' · '}
            <span className={isOpen ? 'text-info' : ''}>{stage}</span>
            <span className="max-sm:hidden"> · {plural(alerts, 'alert')}</span>
          </span>
        </span>
        <span className="shrink-0 text-right text-meta">
          {isOpen ? (
            <Clock sinceUs={incident.first_signal_us} className="block mono" />
          ) : (
            <span className="block mono text-fg-2" title="Time to resolve">
              {incident.mttr_seconds === null ? '–' : duration(incident.mttr_seconds)}
            </span>
          )}
          <Time us={incident.first_signal_us} look="relative" className="block text-fg-3" />
        </span>
        <ChevronRight className="size-4 shrink-0 text-fg-3 max-sm:hidden" aria-hidden />
      </PageLink>
    </li>
  )
}

/** The chosen row comes into view and takes the focus, so that Enter opens it. */
function show(row: HTMLElement | null): void {
  row?.scrollIntoView({ block: 'nearest' })
  row?.querySelector('a')?.focus()
}
