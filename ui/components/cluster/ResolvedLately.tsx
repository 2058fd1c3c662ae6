'use client'

import { useQuery } from '@tanstack/react-query'
import { PageLink } from '@/components/ui/PageLink'
import { Card } from '@/components/ui/Card'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import { incidentsQuery, RESOLVED } from '@/lib/api/queries'
import type { Incident } from '@/lib/api/types'
import { duration, incidentName, objectName } from '@/lib/format'

const SHOWN = 6

export function ResolvedLately() {
  const query = useQuery(incidentsQuery({ status: RESOLVED, limit: SHOWN }))
  return (
    <Card title="Resolved lately" aside={<PageLink href="/incidents/?show=resolved" className="hover:text-fg">all</PageLink>}>
      <Loaded query={query} what="the resolved incidents" skeleton={<RowSkeletons rows={2} />}>
        {({ rows }) =>
          rows.length === 0 ? (
            <Empty title="None yet">What fixed an incident is remembered for the next one like it.</Empty>
          ) : (
            <ul className="divide-y">
              {rows.map(({ incident }) => (
                <Row key={incident.id} incident={incident} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}

function Row({ incident }: { incident: Incident }) {
  return (
    <li>
      <PageLink
        href={`/incident/?id=${incident.id}`}
        className="flex items-center gap-3 px-3 py-2 hover:bg-raised max-sm:min-h-11"
      >
        <span className="min-w-0 flex-1">
          <span className="block break-words">{incident.title}</span>
          <span className="block text-meta text-fg-3">
            <span className="mono">{incidentName(incident.id)}</span> · {incident.namespace || objectName(incident.workload)}
            {incident.resolved_us !== null && (
              <>
                {' · '}
                <Time us={incident.resolved_us} look="relative" />
              </>
            )}
          </span>
        </span>
        {incident.mttr_seconds !== null && (
          <span className="mono text-meta text-fg-2" title="Time to resolve">
            {duration(incident.mttr_seconds)}
          </span>
        )}
      </PageLink>
    </li>
  )
}
