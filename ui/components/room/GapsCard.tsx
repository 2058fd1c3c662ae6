import { EyeOff } from 'lucide-react'
import { Card } from '@/components/ui/Card'
import type { Gap } from '@/lib/api/types'
import { plural } from '@/lib/format'

interface GapsCardProps {
  gaps: Gap[]
  dropped: number
}

/** What could not be seen, and what was said without evidence and therefore left out. */
export function GapsCard({ gaps, dropped }: GapsCardProps) {
  if (gaps.length === 0 && dropped === 0) return null
  return (
    <Card title="Could not be seen" aside={gaps.length} className="order-9 lg:order-none">
      <ul className="divide-y">
        {gaps.map((gap, index) => (
          <li key={index} className="flex gap-2.5 px-3 py-2">
            <EyeOff className="mt-0.5 size-3.5 shrink-0 text-fg-3" aria-hidden />
            <p className="min-w-0 break-words">
              {gap.what}
              <span className="block text-meta text-fg-3">{gap.reason}</span>
            </p>
          </li>
        ))}
      </ul>
      {dropped > 0 && (
        <p className="border-t px-3 py-2 text-meta text-fg-3">
          {plural(dropped, 'sentence')} left out: no evidence behind {dropped === 1 ? 'it' : 'them'}.
        </p>
      )}
    </Card>
  )
}
