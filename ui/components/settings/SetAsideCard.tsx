'use client'

import { useQuery } from '@tanstack/react-query'
import { Card } from '@/components/ui/Card'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import { setAsideQuery } from '@/lib/api/queries'
import { number } from '@/lib/format'

/** Records that could not be read, kept with the reason, so that nothing is lost in silence. */
export function SetAsideCard({ total }: { total: number | undefined }) {
  const query = useQuery(setAsideQuery())
  return (
    <Card title="Set-aside records" aside={total === undefined ? '' : number(total)}>
      <Loaded query={query} what="the set-aside records" skeleton={<RowSkeletons rows={2} />}>
        {(records) =>
          records.length === 0 ? (
            <Empty title="Every record could be read" />
          ) : (
            <ul className="max-h-96 divide-y overflow-y-auto" tabIndex={0} aria-label="Set-aside records">
              {records.map((record) => (
                <li key={record.id} className="px-3 py-2">
                  <details>
                    <summary className="break-words max-sm:py-1.5">
                      {record.reason}
                      <span className="block text-meta text-fg-3">
                        {record.source} · <Time us={record.received_us} />
                      </span>
                    </summary>
                    <pre className="mt-1 max-h-48 overflow-auto text-meta break-words whitespace-pre-wrap text-fg-2">
                      {record.body}
                    </pre>
                  </details>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}
