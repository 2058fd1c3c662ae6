'use client'

import { useQuery } from '@tanstack/react-query'
import { KeyRound } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { Badge } from '@/components/ui/Badge'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import { meQuery, tokensQuery } from '@/lib/api/queries'
import type { TokenView } from '@/lib/api/types'
import { NewTokenDialog } from './NewTokenDialog'
import { RevokeDialog } from './RevokeDialog'
import { Small } from './Row'

/** Who may come in by a token: for admins only, as the API is. */
export function TokensCard() {
  const { data: me } = useQuery(meQuery())
  return me?.role === 'admin' ? <Tokens /> : null
}

function Tokens() {
  const query = useQuery(tokensQuery())
  const [isMaking, setMaking] = useState(false)
  const [revoking, setRevoking] = useState<TokenView | null>(null)
  return (
    <Card title="Access tokens" aside={query.data?.filter(({ state }) => state === 'open').length}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b px-3 py-2">
        <p className="min-w-48 flex-1 text-meta text-fg-3">
          Of people and of senders. Those that the co-pilot made at its first start are not listed.
        </p>
        <Button onClick={() => setMaking(true)}>
          <KeyRound className="size-3.5" aria-hidden /> New token
        </Button>
      </div>
      <Loaded query={query} what="the access tokens" skeleton={<RowSkeletons rows={2} />}>
        {(tokens) => <TokenList tokens={tokens} onRevoke={setRevoking} />}
      </Loaded>
      {isMaking && <NewTokenDialog onClose={() => setMaking(false)} />}
      {revoking && <RevokeDialog token={revoking} onClose={() => setRevoking(null)} />}
    </Card>
  )
}

interface TokenListProps {
  tokens: TokenView[]
  onRevoke: (token: TokenView) => void
}

function TokenList({ tokens, onRevoke }: TokenListProps) {
  const open = tokens.filter(({ state }) => state === 'open')
  const closed = tokens.filter(({ state }) => state !== 'open')
  return (
    <>
      {open.length === 0 ? (
        <Empty title="Nobody has a token of their own" />
      ) : (
        <ul aria-label="Open tokens" className="max-h-96 divide-y overflow-y-auto">
          {open.map((token) => (
            <Token key={token.id} token={token}>
              <Button aria-label={`Revoke the token of ${token.name}`} onClick={() => onRevoke(token)}>
                Revoke
              </Button>
            </Token>
          ))}
        </ul>
      )}
      {closed.length > 0 && (
        <details className="border-t">
          <summary className="px-3 py-2 text-fg-2 max-sm:py-3">{closed.length} revoked or expired</summary>
          <ul aria-label="Closed tokens" className="max-h-96 divide-y overflow-y-auto border-t" tabIndex={0}>
            {closed.map((token) => (
              <Token key={token.id} token={token} />
            ))}
          </ul>
        </details>
      )}
    </>
  )
}

function Token({ token, children }: { token: TokenView; children?: ReactNode }) {
  return (
    <li className="flex items-center gap-3 px-3 py-2">
      <p className="min-w-0 flex-1 break-words">
        <span className="font-medium">{token.name}</span> <Badge tone="idle">{token.role ?? 'sender'}</Badge>
        <Small>
          Made <Time us={token.created_us} look="relative" /> by {token.created_by} · <Use token={token} /> ·{' '}
          <End token={token} />
        </Small>
      </p>
      {children}
    </li>
  )
}

function Use({ token: { used_us: us } }: { token: TokenView }) {
  return us === null ? 'never used' : <>last used <Time us={us} look="relative" /></>
}

function End({ token }: { token: TokenView }) {
  if (token.revoked_us !== null) return <>revoked <Time us={token.revoked_us} look="relative" /></>
  if (token.expires_us === null) return 'does not expire'
  return <>{token.state === 'expired' ? 'expired' : 'expires'} <Time us={token.expires_us} look="full" /></>
}
