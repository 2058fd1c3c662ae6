'use client'

import { clsx } from 'clsx'
import { useLiveStatus } from '@/lib/liveStatus'
import { useNow } from '@/lib/now'

const QUIET_S = 8

/** Whether what is on screen is what is; when it is not, how old it is. */
export function LiveBadge() {
  const { state, lastWordUs } = useLiveStatus()
  const now = useNow()
  const age = now > 0 && lastWordUs > 0 ? Math.floor((now - lastWordUs) / 1_000_000) : 0
  const isLive = state === 'live' && age < QUIET_S
  const label = { connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting' }[state]
  return (
    <p
      data-testid="live"
      className="flex shrink-0 items-center gap-1.5 px-1 text-fg-2"
    >
      <span
        aria-hidden
        className={clsx(
          'size-1.5 rounded-full',
          isLive && 'bg-ok-fill',
          !isLive && state === 'connecting' && 'bg-idle',
          !isLive && state !== 'connecting' && 'animate-[halo_1.2s_ease-in-out_infinite] bg-warn-fill',
        )}
      />
      <span role="status" className={clsx(isLive && 'max-sm:sr-only')}>
        {label}
      </span>
      {!isLive && age > 2 && (
        <span className="text-meta text-fg-3 max-md:sr-only">updated {age} s ago</span>
      )}
    </p>
  )
}
