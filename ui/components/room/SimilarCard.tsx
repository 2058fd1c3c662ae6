import { PageLink } from '@/components/ui/PageLink'
import { Badge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import type { SimilarView } from '@/lib/api/types'
import { duration, incidentName } from '@/lib/format'

/** What happened before, what fixed it, and how long that took. */
export function SimilarCard({ similar }: { similar: SimilarView[] }) {
  if (similar.length === 0) return null
  return (
    <Card title="Similar incidents" aside={similar.length} className="order-8 lg:order-none">
      <ul className="divide-y">
        {similar.map((each) => (
          <li key={each.incident_id} className="px-3 py-2">
            <p className="flex items-baseline gap-2">
              <PageLink href={`/incident/?id=${each.incident_id}`} className="min-w-0 flex-1 font-medium break-words underline decoration-line-strong underline-offset-2 hover:decoration-fg">
                <span className="mono text-meta">{incidentName(each.incident_id)}</span> {each.title}
              </PageLink>
              <span className="mono text-meta text-fg-2" title="Time to resolve">
                {duration(each.mttr_seconds)}
              </span>
            </p>
            <p className="mt-0.5 text-meta break-words text-fg-2">
              {each.fix ? (
                <>
                  Fixed by {each.fix}{' '}
                  <Badge tone={each.has_held ? 'ok' : 'warn'}>{each.has_held ? 'held' : 'did not hold'}</Badge>
                </>
              ) : (
                'Nothing was applied.'
              )}
            </p>
            <p className="text-meta break-words text-fg-3">{each.reason}</p>
          </li>
        ))}
      </ul>
    </Card>
  )
}
