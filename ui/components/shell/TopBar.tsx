'use client'

import { useQuery } from '@tanstack/react-query'
import { clsx } from 'clsx'
import { Search } from 'lucide-react'
import { Badge } from '@/components/ui/Badge'
import { statusQuery } from '@/lib/api/queries'
import { plural } from '@/lib/format'
import { LiveBadge } from './LiveBadge'
import { ThemeSwitch } from './ThemeSwitch'
import { ZoneSwitch } from './ZoneSwitch'

export function TopBar({ onSearch }: { onSearch: () => void }) {
  return (
    <header className="sticky top-0 z-30 flex h-12 items-center gap-2 border-b bg-bg px-3 max-sm:h-14 max-sm:gap-1 md:px-4">
      <ClusterName />
      <div className="flex-1" />
      <button
        type="button"
        onClick={onSearch}
        className="flex h-8 items-center gap-2 rounded-md border bg-panel px-2.5 text-fg-3 hover:border-line-strong max-lg:size-9 max-lg:justify-center max-lg:px-0 max-sm:size-11 lg:w-80"
      >
        <Search className="size-4" aria-hidden />
        <span className="flex-1 truncate text-left max-lg:sr-only">Search logs, pods, runbooks…</span>
        <kbd className="rounded border px-1 text-tiny max-lg:hidden" aria-hidden>
          Ctrl K
        </kbd>
      </button>
      <ZoneSwitch />
      <LiveBadge />
      <ThemeSwitch />
    </header>
  )
}

function ClusterName() {
  const { data: status } = useQuery(statusQuery())
  return (
    <div className="flex min-w-0 items-center gap-2">
      <p className="flex h-7 min-w-0 items-center gap-2 rounded-md border bg-panel px-2.5 font-semibold">
        <span
          aria-hidden
          className={clsx('size-1.5 shrink-0 rounded-full', status?.is_synced ? 'bg-ok-fill' : 'bg-idle')}
        />
        <span className="truncate">{status?.cluster ?? 'Cluster'}</span>
        {status && (
          <span className="font-normal text-fg-3 max-sm:hidden">
            {status.is_synced ? `· ${plural(status.nodes, 'node')}` : '· first look'}
          </span>
        )}
      </p>
      {status?.is_demo && (
        <Badge tone="info">
          <span>
            demo<span className="max-sm:sr-only"> cluster</span>
          </span>
        </Badge>
      )}
    </div>
  )
}
