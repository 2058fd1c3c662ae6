'use client'

import { useQuery } from '@tanstack/react-query'
import { ShieldAlert, ShieldCheck } from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import { useSearchParams } from 'next/navigation'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import { auditQuery } from '@/lib/api/queries'
import type { AuditPage as AuditLog, AuditRow } from '@/lib/api/types'

/** Every act, newest first, and whether anybody has touched the record of it. */
export function AuditPage() {
  const params = useSearchParams()
  const chain = params.get('chain') ?? ''
  const after = Number(params.get('after') ?? 0)
  const query = useQuery(auditQuery(chain, after))
  return (
    <>
      {query.data && <Integrity found={query.data} />}
      <div className="overflow-clip rounded-card border bg-panel">
        {chain && (
          <p className="flex items-center gap-2 border-b px-3 py-2 text-meta">
            Only <code>{chain}</code>
            <PageLink href="/audit/" className="font-medium text-info underline">
              show all
            </PageLink>
          </p>
        )}
        <Loaded query={query} what="the audit log" skeleton={<RowSkeletons rows={10} />}>
          {(page) =>
            page.rows.length === 0 ? (
              <Empty title={after > 0 ? 'Nothing older' : 'Nothing has been done yet'}>
                Approvals, changes to the cluster and what became of them are recorded here.
              </Empty>
            ) : (
              <>
                <Rows rows={page.rows} />
                <Paging chain={chain} after={after} next={page.next_after} />
              </>
            )
          }
        </Loaded>
      </div>
    </>
  )
}

function Integrity({ found }: { found: AuditLog }) {
  if (found.broken.length > 0) {
    return (
      <p role="alert" className="mb-3 flex items-center gap-2 rounded-card bg-crit-soft px-3 py-2 font-medium text-crit">
        <ShieldAlert className="size-4 shrink-0" aria-hidden />
        <span className="min-w-0 break-words">
          These chains do not add up; somebody changed what was recorded: {found.broken.join(', ')}
        </span>
      </p>
    )
  }
  return (
    <p className="mb-3 flex items-start gap-2 text-meta text-fg-2">
      <ShieldCheck className="size-4 shrink-0 text-ok" aria-hidden />
      <span className="min-w-0">
        Each entry carries the hash of the one before it. All {found.intact_entries} entries add up as far as they were
        read: from the beginning <Time us={found.whole_us} look="relative" />, what was added since then at{' '}
        <Time us={found.checked_us} />. <code>incident-copilot audit verify</code> reads all of them now.
      </span>
    </p>
  )
}

function Rows({ rows }: { rows: AuditRow[] }) {
  return (
    <>
      <table className="w-full table-fixed max-md:hidden">
        <caption className="sr-only">The audit log, newest first</caption>
        <thead className="border-b text-left text-meta text-fg-3">
          <tr className="*:px-3 *:py-2 *:font-medium">
            <th scope="col" className="w-36">When</th>
            <th scope="col" className="w-40">Who</th>
            <th scope="col" className="w-44">Did</th>
            <th scope="col">To what</th>
            <th scope="col" className="w-40">Chain</th>
            <th scope="col" className="w-32">Hash</th>
          </tr>
        </thead>
        <tbody className="divide-y">
          {rows.map((row) => (
            <tr key={`${row.chain} ${row.seq}`} className="align-top *:px-3 *:py-2">
              <td className="mono text-meta text-fg-3"><Time us={row.ts_us} /></td>
              <td className="break-words">{row.actor}</td>
              <td className="mono text-meta break-words">{row.action}</td>
              <td className="break-words">
                {row.object}
                {row.detail && <span className="block text-meta text-fg-3">{row.detail}</span>}
              </td>
              <td><ChainLink row={row} /></td>
              <td className="truncate mono text-meta text-fg-3" title={row.hash}>{row.hash.slice(0, 12)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <ul className="divide-y md:hidden">
        {rows.map((row) => (
          <li key={`${row.chain} ${row.seq}`} className="px-3 py-2">
            <p className="flex justify-between gap-2 text-meta text-fg-3">
              <span className="min-w-0 truncate">{row.actor}</span>
              <Time us={row.ts_us} className="mono" />
            </p>
            <p className="font-medium break-words"><span className="mono text-meta">{row.action}</span> {row.object}</p>
            {row.detail && <p className="text-meta break-words text-fg-2">{row.detail}</p>}
            <p className="mt-0.5 flex gap-3 text-meta"><ChainLink row={row} /> <span className="mono text-fg-3">{row.hash.slice(0, 12)}</span></p>
          </li>
        ))}
      </ul>
    </>
  )
}

function ChainLink({ row }: { row: AuditRow }) {
  return (
    <PageLink
      href={`/audit/?chain=${encodeURIComponent(row.chain)}`}
      className="mono text-meta break-all text-fg-2 underline decoration-line-strong underline-offset-2 hover:text-fg"
    >
      {row.chain} #{row.seq}
    </PageLink>
  )
}

interface PagingProps {
  chain: string
  after: number
  next: number | null
}

function Paging({ chain, after, next }: PagingProps) {
  if (after === 0 && next === null) return null
  const look = 'rounded-md border px-3 py-1.5 font-medium hover:bg-raised max-sm:py-3'
  const at = (offset: number) => {
    const params = new URLSearchParams(chain ? { chain } : {})
    if (offset > 0) params.set('after', String(offset))
    return params.size === 0 ? '/audit/' : `/audit/?${params}`
  }
  return (
    <nav aria-label="Pages" className="flex justify-between gap-2 border-t p-2">
      {after === 0 ? <span /> : <PageLink href={at(0)} className={look}>Newest</PageLink>}
      {next !== null && <PageLink href={at(next)} className={look}>Older</PageLink>}
    </nav>
  )
}
