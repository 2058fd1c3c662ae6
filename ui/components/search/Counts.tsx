'use client'

import { useQuery } from '@tanstack/react-query'
import { clsx } from 'clsx'
import { ChevronDown } from 'lucide-react'
import { useState } from 'react'
import { PageLink } from '@/components/ui/PageLink'
import { Loaded } from '@/components/ui/States'
import { searchCountsQuery } from '@/lib/api/queries'
import type { Facet, SearchCounts } from '@/lib/api/types'
import { number } from '@/lib/format'
import { HIT, HITS } from '@/lib/labels'
import { operatorOf, searchHref, withOperator } from '@/lib/query'
import { Histogram } from './Histogram'

/** How the hits spread: over time above them, by kind, level and place beside them. */
export function Counts({ q }: { q: string }) {
  const query = useQuery(searchCountsQuery(q))
  return (
    <Loaded query={query} what="the counts" skeleton={<CountsSkeleton />}>
      {({ counted }) => (
        <>
          <Facets q={q} counted={counted} isStale={query.isPlaceholderData} />
          <Histogram q={q} counted={counted} isStale={query.isPlaceholderData} />
        </>
      )}
    </Loaded>
  )
}

function CountsSkeleton() {
  return (
    <>
      <div className="skeleton h-11 rounded-card lg:row-span-2 lg:h-80" />
      <div className="skeleton h-28 rounded-card lg:col-start-2" />
    </>
  )
}

interface FacetsProps {
  q: string
  counted: SearchCounts['counted']
  isStale: boolean
}

function Facets({ q, counted, isStale }: FacetsProps) {
  const [isOpen, setOpen] = useState(false)
  const kinds = counted.kinds.filter((facet) => facet.n > 0)
  return (
    <nav
      aria-label="Narrow the search"
      aria-busy={isStale}
      className="rounded-card border bg-panel aria-busy:opacity-60 lg:row-span-2 lg:p-3"
    >
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
        className="flex h-11 w-full items-center justify-between px-3 font-medium text-fg-2 lg:hidden"
      >
        Narrow the search
        <ChevronDown className={clsx('size-4 text-fg-3', isOpen && 'rotate-180')} aria-hidden />
      </button>
      <div className={clsx('grid gap-4 max-lg:grid-cols-2 max-lg:border-t max-lg:p-3', !isOpen && 'max-lg:hidden')}>
        <FacetGroup q={q} name="Kind" operator="kind" facets={kinds} label={kindName} />
        <FacetGroup q={q} name="Level" operator="level" facets={counted.levels} />
        <FacetGroup q={q} name="Namespace" operator="ns" facets={counted.namespaces} />
        <FacetGroup q={q} name="App" operator="app" facets={counted.apps} />
      </div>
    </nav>
  )
}

interface FacetGroupProps {
  q: string
  name: string
  operator: string
  facets: Facet[]
  label?: (value: string) => string
}

function FacetGroup({ q, name, operator, facets, label = (value) => value }: FacetGroupProps) {
  const chosen = operatorOf(q, operator).replace(/^>=?/, '')
  const shown = facets.some((facet) => facet.value === chosen) || !chosen ? facets : [none(chosen), ...facets]
  if (shown.length === 0) return null
  return (
    <section aria-label={name} className="min-w-0">
      <h2 className="mb-1 text-meta font-medium text-fg-3">{name}</h2>
      <ul>
        {shown.map((facet) => {
          const isChosen = facet.value === chosen
          return (
            <li key={facet.value}>
              <PageLink
                href={searchHref(withOperator(q, operator, isChosen ? '' : facet.value))}
                scroll={false}
                aria-current={isChosen ? 'true' : undefined}
                className={clsx(
                  'flex h-7 items-center gap-2 rounded-md px-2 max-lg:h-11',
                  isChosen ? 'bg-raised font-medium text-fg' : 'text-fg-2 hover:bg-raised',
                )}
              >
                <span className="truncate">{label(facet.value)}</span>{' '}
                <span className="ml-auto text-meta text-fg-3 tabular">{count(facet)}</span>
              </PageLink>
            </li>
          )
        })}
      </ul>
    </section>
  )
}

function none(value: string): Facet {
  return { value, n: 0, is_least: false }
}

function count(facet: Facet): string {
  return `${number(facet.n)}${facet.is_least ? '+' : ''}`
}

function kindName(value: string): string {
  const kind = HITS.find((each) => each === value)
  return kind ? HIT[kind] : value
}
