import { clsx } from 'clsx'
import { PageLink } from '@/components/ui/PageLink'
import { Empty } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import type { HitKind, SearchView } from '@/lib/api/types'
import { number, plural } from '@/lib/format'
import { HIT, HITS } from '@/lib/labels'
import { wordsOf } from '@/lib/words'
import { HitItem } from './HitItem'

interface ResultsProps {
  q: string
  kind: HitKind | null
  found: SearchView
}

export function Results({ q, kind, found }: ResultsProps) {
  const hits = kind ? found.hits.filter((hit) => hit.kind === kind) : found.hits
  const words = wordsOf(q)
  return (
    <>
      <Facets q={q} kind={kind} found={found} />
      {hits.length === 0 ? (
        <Empty title="Nothing found">
          <HowFar found={found} />
        </Empty>
      ) : (
        <ul className="divide-y">
          {hits.map((hit) => (
            <HitItem key={`${hit.kind} ${hit.ref}`} hit={hit} words={words} />
          ))}
        </ul>
      )}
      {hits.length > 0 && (
        <p className="border-t px-3 py-2 text-meta text-fg-3">
          <HowFar found={found} />
        </p>
      )}
    </>
  )
}

function Facets({ q, kind, found }: ResultsProps) {
  const facets: (HitKind | null)[] = [null, ...HITS.filter((each) => (found.counts[each] ?? 0) > 0)]
  return (
    <nav aria-label="Kinds" className="flex flex-wrap items-center gap-1 border-b p-1.5">
      {facets.map((facet) => {
        const params = new URLSearchParams(facet ? { q, kind: facet } : { q })
        return (
          <PageLink
            key={facet ?? 'all'}
            href={`/search/?${params}`}
            scroll={false}
            aria-current={facet === kind ? 'page' : undefined}
            className={clsx(
              'flex h-7 items-center gap-1.5 rounded-md px-2.5 font-medium max-sm:h-11',
              facet === kind ? 'bg-raised text-fg' : 'text-fg-2 hover:bg-raised',
            )}
          >
            {facet ? HIT[facet] : 'All'}
            <span className="text-meta text-fg-3 tabular">
              {number(facet ? (found.counts[facet] ?? 0) : found.hits.length)}
            </span>
          </PageLink>
        )
      })}
      <span className="ml-auto px-2 text-meta text-fg-3 tabular">{number(found.took_ms)} ms</span>
    </nav>
  )
}

/** An honest answer to "is that all?". */
function HowFar({ found }: { found: SearchView }) {
  if (found.looked_back_to_us === 0) {
    return found.scanned_lines === 0
      ? 'Everything that is stored was looked at.'
      : `Everything was looked at; ${plural(found.scanned_lines, 'line')} read one by one.`
  }
  return (
    <>
      {plural(found.scanned_lines, 'line')} read one by one, back to{' '}
      <Time us={found.looked_back_to_us} look="full" />. Older lines were not looked at; narrow the
      search by <code>ns:</code> or <code>app:</code> to reach further.
    </>
  )
}
