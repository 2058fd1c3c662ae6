'use client'

import { clock } from '@/lib/format'
import { useNow } from '@/lib/now'

/** How long ago it began, ticking. */
export function Clock({ sinceUs, className }: { sinceUs: number; className?: string }) {
  const now = useNow()
  return (
    <span className={className} data-testid="clock">
      {now === 0 ? '--:--' : clock((now - sinceUs) / 1_000_000)}
    </span>
  )
}
