'use client'

import { useQuery } from '@tanstack/react-query'
import { clsx } from 'clsx'
import { PageLink } from '@/components/ui/PageLink'
import { useSearchParams } from 'next/navigation'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { runbooksQuery } from '@/lib/api/queries'
import type { RunbookView } from '@/lib/api/types'
import { topics } from '@/lib/words'
import { RunbookText } from './RunbookText'

/** The list, and beside it the runbook that the address names. */
export function RunbooksPage() {
  const slug = useSearchParams().get('slug') ?? ''
  const query = useQuery(runbooksQuery())
  return (
    <div className="grid gap-3 lg:grid-cols-[19rem_minmax(0,1fr)]">
      <nav
        aria-label="Runbooks"
        className={clsx('self-start overflow-clip rounded-card border bg-panel', slug && 'max-lg:hidden')}
      >
        <Loaded query={query} what="the runbooks" skeleton={<RowSkeletons rows={8} />}>
          {(runbooks) =>
            runbooks.length === 0 ? (
              <Empty title="No runbooks yet" />
            ) : (
              <ul className="divide-y">
                {runbooks.map((runbook) => (
                  <Item key={runbook.slug} runbook={runbook} isShown={runbook.slug === slug} />
                ))}
              </ul>
            )
          }
        </Loaded>
      </nav>
      {slug ? (
        <RunbookText key={slug} slug={slug} />
      ) : (
        <div className="rounded-card border bg-panel max-lg:hidden">
          <Empty title="Choose a runbook">They also show up in the incidents they fit.</Empty>
        </div>
      )}
    </div>
  )
}

function Item({ runbook, isShown }: { runbook: RunbookView; isShown: boolean }) {
  return (
    <li>
      <PageLink
        href={`/runbooks/?slug=${runbook.slug}`}
        aria-current={isShown ? 'page' : undefined}
        className={clsx('block px-3 py-2', isShown ? 'bg-raised' : 'hover:bg-raised')}
      >
        <span className="block font-medium break-words">{runbook.title}</span>
        <span className="block text-meta break-words text-fg-3">
          {topics(runbook).join(' · ')}
        </span>
      </PageLink>
    </li>
  )
}
