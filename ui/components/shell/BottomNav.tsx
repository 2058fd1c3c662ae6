'use client'

import { clsx } from 'clsx'
import { PageLink } from '@/components/ui/PageLink'
import { usePathname } from 'next/navigation'
import { CHAOS, isCurrent, PAGES, SETTINGS } from './nav'
import { useHasChaos } from './useHasChaos'

/** The pages within reach of a thumb; the others are on the settings page. */
export function BottomNav() {
  const pathname = usePathname()
  const fourth = useHasChaos() ? CHAOS : PAGES[3]
  const pages = [...PAGES.slice(0, 3), ...(fourth ? [fourth] : []), SETTINGS]
  return (
    <nav
      aria-label="Main, phone"
      className="fixed inset-x-0 bottom-0 z-30 border-t bg-panel pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      <ul className="grid grid-cols-5">
        {pages.map((page) => {
          const isHere = isCurrent(page, pathname)
          return (
            <li key={page.href}>
              <PageLink
                href={page.href}
                aria-current={isHere ? 'page' : undefined}
                className={clsx(
                  'flex h-14 flex-col items-center justify-center gap-1 text-tiny font-medium',
                  isHere ? 'text-fg' : 'text-fg-3',
                )}
              >
                <page.icon className="size-4.5" aria-hidden />
                {page.title}
              </PageLink>
            </li>
          )
        })}
      </ul>
    </nav>
  )
}
