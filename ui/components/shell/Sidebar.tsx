'use client'

import { useQuery } from '@tanstack/react-query'
import { clsx } from 'clsx'
import { Activity } from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import { usePathname } from 'next/navigation'
import { statusQuery } from '@/lib/api/queries'
import { Account } from './Account'
import { CHAOS, isCurrent, PAGES, type Page, SETTINGS } from './nav'
import { useHasChaos } from './useHasChaos'

export function Sidebar() {
  const { data: status } = useQuery(statusQuery())
  const hasChaos = useHasChaos()
  return (
    <nav
      aria-label="Main"
      className="sticky top-0 hidden h-dvh w-48 shrink-0 flex-col border-r bg-panel md:flex"
    >
      <PageLink href="/" className="flex h-12 items-center gap-2.5 border-b px-3 font-semibold">
        <span className="grid size-6 place-items-center rounded-md bg-accent text-accent-fg">
          <Activity className="size-4" aria-hidden />
        </span>
        Co-Pilot
      </PageLink>
      <ul className="flex-1 space-y-0.5 p-2">
        {PAGES.map((page) => (
          <Item
            key={page.href}
            page={page}
            count={page.href === '/incidents/' ? (status?.open_incidents ?? 0) : 0}
          />
        ))}
      </ul>
      <ul className="space-y-0.5 border-t p-2">
        {hasChaos && <Item page={CHAOS} count={0} />}
        <Item page={SETTINGS} count={0} />
      </ul>
      <Account />
    </nav>
  )
}

function Item({ page, count }: { page: Page; count: number }) {
  const isHere = isCurrent(page, usePathname())
  return (
    <li>
      <PageLink
        href={page.href}
        aria-current={isHere ? 'page' : undefined}
        className={clsx(
          'flex h-8 items-center gap-2.5 rounded-md px-2 font-medium',
          isHere ? 'bg-raised text-fg' : 'text-fg-2 hover:bg-raised hover:text-fg',
        )}
      >
        <page.icon className="size-4" aria-hidden />
        <span className="flex-1">{page.title}</span>
        {count > 0 && (
          <span className="grid h-4.5 min-w-4.5 place-items-center rounded-full bg-crit-soft px-1 text-tiny font-semibold text-crit tabular">
            {count}
            <span className="sr-only"> open</span>
          </span>
        )}
      </PageLink>
    </li>
  )
}
