import { PageLink } from '@/components/ui/PageLink'
import { Empty } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import type { SearchView } from '@/lib/api/types'
import { number, plural } from '@/lib/format'
import { searchHref } from '@/lib/query'
import { HitItem } from './HitItem'

interface ResultsProps {
  q: string
  after: string
  found: SearchView
}

/** A page of hits, and how far it looked. */
export function Results({ q, after, found }: ResultsProps) {
  return (
    <>
      {found.hits.length === 0 ? (
        <Empty title={found.next ? 'Nothing found so far' : 'Nothing found'}>
          <HowFar found={found} />
        </Empty>
      ) : (
        <ul aria-label="Hits" className="divide-y">
          {found.hits.map((hit) => (
            <HitItem key={`${hit.kind} ${hit.ref}`} hit={hit} words={found.words} />
          ))}
        </ul>
      )}
      <footer className="flex flex-wrap items-center gap-2 border-t px-3 py-2 text-meta text-fg-3">
        {after && (
          <PageLink href={searchHref(q)} className={LINK}>
            Newest
          </PageLink>
        )}
        {found.next && (
          <PageLink href={searchHref(q, found.next)} className={LINK}>
            {found.hits.length === 0 ? 'Look further back' : 'Older'}
          </PageLink>
        )}
        {found.hits.length > 0 && (
          <span>
            <HowFar found={found} />
          </span>
        )}
        <span className="ml-auto tabular">{number(found.took_ms)} ms</span>
      </footer>
    </>
  )
}

const LINK =
  'flex h-8 items-center rounded-md border px-2.5 font-medium text-fg hover:bg-raised max-sm:h-11'

/** An honest answer to "is that all?". */
function HowFar({ found }: { found: SearchView }) {
  const read = found.scanned_lines > 0 && `${plural(found.scanned_lines, 'line')} read one by one`
  if (found.looked_back_to_us === 0) return `Everything was looked at${read ? `; ${read}` : ''}.`
  return (
    <>
      {read ? `${read}, back to ` : 'Lines were looked at back to '}
      <Time us={found.looked_back_to_us} look="full" />.
    </>
  )
}
