'use client'

import { useQuery } from '@tanstack/react-query'
import { ChevronLeft } from 'lucide-react'
import dynamic from 'next/dynamic'
import { PageLink } from '@/components/ui/PageLink'
import { Loaded } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import { runbookQuery } from '@/lib/api/queries'
import { topics, withoutTitle } from '@/lib/words'

const Markdown = dynamic(() => import('@/components/ui/Markdown').then((it) => it.Markdown))

export function RunbookText({ slug }: { slug: string }) {
  const query = useQuery(runbookQuery(slug))
  return (
    <article className="min-w-0 rounded-card border bg-panel">
      <PageLink href="/runbooks/" className="flex items-center gap-1 border-b px-3 py-2 font-medium text-fg-2 max-sm:py-3 lg:hidden">
        <ChevronLeft className="size-4" aria-hidden /> All runbooks
      </PageLink>
      <Loaded query={query} what="the runbook" skeleton={<div className="skeleton m-4 h-96" />}>
        {(runbook) => (
          <div className="p-4">
            <h2 className="text-title font-semibold tracking-tight break-words">{runbook.title}</h2>
            <p className="mt-1 mb-4 text-meta text-fg-3">
              {topics(runbook).join(' · ')} · changed{' '}
              <Time us={runbook.updated_us} look="relative" />
            </p>
            <Markdown text={withoutTitle(runbook.body)} />
          </div>
        )}
      </Loaded>
    </article>
  )
}
