'use client'

import { useQuery } from '@tanstack/react-query'
import { PageLink } from '@/components/ui/PageLink'
import { Badge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import { changesQuery } from '@/lib/api/queries'
import type { ChangeView } from '@/lib/api/types'
import { duration, incidentName, objectName } from '@/lib/format'

const MINUTES = 60
const SHOWN = 12

export function RecentChanges() {
  const query = useQuery(changesQuery(MINUTES))
  return (
    <Card title="Recent changes" aside={`last ${MINUTES} min`}>
      <Loaded query={query} what="the changes" skeleton={<RowSkeletons rows={3} height="h-9" />}>
        {(changes) =>
          changes.length === 0 ? (
            <Empty title="Nobody changed anything in the last hour" />
          ) : (
            <ul className="divide-y">
              {changes.slice(0, SHOWN).map((change) => (
                <Row key={`${change.object.uid}@${change.ts_us}`} change={change} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}

function Row({ change }: { change: ChangeView }) {
  return (
    <li className="grid min-h-9 items-center gap-x-4 gap-y-0.5 px-3 py-2 sm:grid-cols-[4.5rem_minmax(6rem,11rem)_minmax(0,1fr)_auto]">
      <Time us={change.ts_us} className="mono text-meta text-fg-3" />
      <span className="truncate mono text-meta" title={objectName(change.object)}>
        {change.object.name}
      </span>
      <span className="min-w-0 break-words">
        {change.title}
        {change.actor && <span className="text-meta text-fg-3"> · {change.actor}</span>}
      </span>
      <Relation change={change} />
    </li>
  )
}

function Relation({ change: { incident_id, seconds_before } }: { change: ChangeView }) {
  if (incident_id === null) return <span className="text-meta text-fg-3 max-sm:hidden">no related signal</span>
  return (
    <PageLink href={`/incident/?id=${incident_id}`} className="justify-self-start">
      <Badge tone="crit">
        {seconds_before === null ? '' : `${duration(seconds_before)} before `}
        {incidentName(incident_id)}
      </Badge>
    </PageLink>
  )
}
