'use client'

import { useQuery } from '@tanstack/react-query'
import { CheckCircle2 } from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import { SeverityBadge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Clock } from '@/components/ui/Clock'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { incidentsQuery, OPEN } from '@/lib/api/queries'
import type { IncidentRow } from '@/lib/api/types'
import { incidentName, objectName } from '@/lib/format'

export function ActiveIncidents() {
  const query = useQuery(incidentsQuery({ status: OPEN }))
  return (
    <Card title="Active incidents" aside={query.data?.open}>
      <Loaded query={query} what="the incidents" skeleton={<RowSkeletons rows={1} height="h-20" />}>
        {({ rows, open }) =>
          rows.length === 0 ? (
            <Empty title="Nothing is wrong" icon={<CheckCircle2 className="size-5 text-ok" aria-hidden />}>
              Incidents appear here by themselves as soon as something breaks.
            </Empty>
          ) : (
            <>
              <ul className="divide-y">
                {rows.map((row) => (
                  <Row key={row.incident.id} row={row} />
                ))}
              </ul>
              {open > rows.length && (
                <PageLink href="/incidents/" className="block border-t px-3 py-2 text-meta text-fg-2 hover:bg-raised">
                  All {open}
                </PageLink>
              )}
            </>
          )
        }
      </Loaded>
    </Card>
  )
}

function Row({ row: { incident, stage } }: { row: IncidentRow }) {
  return (
    <li>
      <PageLink href={`/incident/?id=${incident.id}`} className="block px-3 py-2.5 hover:bg-raised">
        <span className="flex items-center gap-2 text-meta">
          <SeverityBadge severity={incident.severity} isOpen />
          <span className="mono text-fg-3">{incidentName(incident.id)}</span>
          <Clock sinceUs={incident.first_signal_us} className="ml-auto mono" />
        </span>
        <span className="mt-1 block font-semibold break-words">{incident.title}</span>
        <span className="mt-0.5 block text-meta text-fg-3">
          <span className="mono">{incident.namespace || objectName(incident.workload)}</span> · <span className="text-info">{stage}</span>
        </span>
      </PageLink>
    </li>
  )
}
