'use client'

import { useQuery } from '@tanstack/react-query'
import { EyeOff } from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import type { ReactNode } from 'react'
import { CHAOS, PAGES } from '@/components/shell/nav'
import { useHasChaos } from '@/components/shell/useHasChaos'
import { Badge } from '@/components/ui/Badge'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { meQuery, statusQuery } from '@/lib/api/queries'
import type { StatusView } from '@/lib/api/types'
import { number } from '@/lib/format'
import { MODE, signedInBy } from '@/lib/labels'
import { signOut } from '@/lib/session'
import { Appearance } from './Appearance'
import { DatabaseCard } from './DatabaseCard'
import { Row, Small } from './Row'
import { SetAsideCard } from './SetAsideCard'
import { TokensCard } from './TokensCard'
import { Troubles } from './Troubles'

export function SettingsPage() {
  const query = useQuery(statusQuery())
  return (
    <div className="grid items-start gap-3 lg:grid-cols-2">
      <MorePages />
      {query.data && <Troubles troubles={query.data.troubles} nowUs={query.data.now_us} />}
      <Stack>
        <Card title="This co-pilot">
          <Loaded query={query} what="the status" skeleton={<RowSkeletons rows={6} height="h-9" />}>
            {(status) => <About status={status} />}
          </Loaded>
        </Card>
        <TokensCard />
        <Card title="Could not be seen" aside={query.data?.gaps.length}>
          <Loaded query={query} what="the gaps" skeleton={<RowSkeletons rows={1} />}>
            {(status) => <Gaps status={status} />}
          </Loaded>
        </Card>
      </Stack>
      <Stack>
        <Appearance />
        <DatabaseCard />
        <SetAsideCard total={query.data?.set_aside} />
      </Stack>
    </div>
  )
}

/** One of the two columns; on a small screen they follow each other. */
function Stack({ children }: { children: ReactNode }) {
  return <div className="grid min-w-0 gap-3">{children}</div>
}

function About({ status }: { status: StatusView }) {
  const { data: me } = useQuery(meQuery())
  const mode = MODE[status.mode]
  return (
    <dl className="divide-y">
      <Row name="Cluster">
        {status.cluster} {status.is_demo && <Badge tone="info">demo cluster</Badge>}
        <Small>Kubernetes {status.cluster_version || 'version unknown'}, {number(status.nodes)} nodes</Small>
      </Row>
      <Row name="Mode">
        {mode?.label ?? status.mode}
        {mode && <Small>{mode.detail}</Small>}
      </Row>
      <Row name="Language model">
        {status.model ?? 'None'}
        {status.model === null && <Small>The detective works without one.</Small>}
      </Row>
      <Row name="Search">
        {status.index.model === null ? 'By words alone' : 'By words and by meaning'}
        <Small>{status.index.about}</Small>
        <Waiting index={status.index} />
      </Row>
      <Row name="Signed in as">
        {me?.name ?? '…'}
        {me && <Small>as {me.role}, {signedInBy(me.via)}</Small>}
        {me?.has_session && (
          <span className="mt-1.5 flex flex-wrap gap-2">
            <Button onClick={() => void signOut(false)}>Sign out</Button>
            <Button onClick={() => void signOut(true)}>Sign out everywhere</Button>
          </span>
        )}
      </Row>
      <Row name="Stored">
        {number(status.lines)} lines, {number(status.events)} events
      </Row>
      <Row name="Version">{status.version}</Row>
    </dl>
  )
}

/** How far search is behind what it is of, and what it has cost. */
function Waiting({ index }: { index: StatusView['index'] }) {
  const waiting = Math.max(index.words_waiting, index.vectors_waiting)
  return (
    <>
      {waiting > 0 && <Small>{number(waiting)} of {number(index.documents)} texts are still waiting</Small>}
      {index.cost_usd > 0 && (
        <Small>
          {number(index.tokens)} tokens, {index.cost_usd.toFixed(4)} US dollars since the start
        </Small>
      )}
    </>
  )
}

function Gaps({ status }: { status: StatusView }) {
  if (status.gaps.length === 0) return <Empty title="Everything that is watched can be seen" />
  return (
    <ul className="divide-y">
      {status.gaps.map((gap, index) => (
        <li key={index} className="flex gap-2.5 px-3 py-2">
          <EyeOff className="mt-0.5 size-3.5 shrink-0 text-fg-3" aria-hidden />
          <p className="min-w-0 break-words">
            {gap.what}
            <Small>{gap.reason}</Small>
          </p>
        </li>
      ))}
    </ul>
  )
}

/** What the bar at the foot of a phone has no room for. */
function MorePages() {
  const pages = [...PAGES.slice(3), ...(useHasChaos() ? [CHAOS] : [])]
  return (
    <nav aria-label="More pages" className="rounded-card border bg-panel md:hidden">
      <ul className="divide-y">
        {pages.map((page) => (
          <li key={page.href}>
            <PageLink href={page.href} className="flex h-12 items-center gap-3 px-3 font-medium">
              <page.icon className="size-4 text-fg-3" aria-hidden /> {page.title}
            </PageLink>
          </li>
        ))}
      </ul>
    </nav>
  )
}
