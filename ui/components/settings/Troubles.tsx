import { TriangleAlert } from 'lucide-react'
import { Card } from '@/components/ui/Card'
import type { StatusView } from '@/lib/api/types'
import { relative } from '@/lib/format'

interface TroublesProps {
  troubles: StatusView['troubles']
  nowUs: number
}

/** What ails the co-pilot itself; nothing while it is well. */
export function Troubles({ troubles, nowUs }: TroublesProps) {
  if (troubles.length === 0) return null
  return (
    <div className="lg:col-span-2">
      <Card title="The co-pilot itself is in trouble" aside={troubles.length}>
        <ul role="alert" className="divide-y">
          {troubles.map((trouble) => (
            <li key={trouble.what} className="flex gap-2.5 px-3 py-2">
              <TriangleAlert className="mt-0.5 size-3.5 shrink-0" aria-hidden />
              <p className="min-w-0 break-words">
                {trouble.message}
                <span className="block text-meta text-fg-3">began {relative(trouble.since_us, nowUs)}</span>
              </p>
            </li>
          ))}
        </ul>
      </Card>
    </div>
  )
}
