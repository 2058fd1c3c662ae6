'use client'

import { useQuery } from '@tanstack/react-query'
import { Command } from 'cmdk'
import { useRouter } from 'next/navigation'
import { type ReactNode, useState } from 'react'
import { Kbd } from '@/components/ui/Kbd'
import { type Action, allActions } from '@/lib/actions'
import { incidentsQuery, OPEN } from '@/lib/api/queries'
import { incidentName } from '@/lib/format'

/** Everything that can be done or gone to, by name. */
export function CommandMenu({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('')
  const [actions] = useState(allActions)
  const { data: incidents } = useQuery(incidentsQuery({ status: OPEN }))
  const router = useRouter()

  function pick(run: () => void): void {
    onClose()
    // The menu gives the focus back first, so that a dialog that opens next can keep it.
    setTimeout(run, 0)
  }
  const go = (href: string) => pick(() => router.push(href))

  return (
    <Command.Dialog
      open
      onOpenChange={onClose}
      label="Command menu"
      loop
      overlayClassName="fixed inset-0 z-40 bg-scrim"
      contentClassName="appear fixed inset-x-3 top-[12dvh] z-50 mx-auto max-w-xl overflow-hidden rounded-card border border-line-strong bg-panel shadow-lift"
    >
      <Command.Input
        value={text}
        onValueChange={setText}
        placeholder="Type a command or search…"
        aria-label="Command or search"
        className="h-12 w-full border-b bg-transparent px-4 text-lead outline-none placeholder:text-fg-3"
      />
      <Command.List className="max-h-[50dvh] overflow-y-auto p-2" aria-label="Commands">
        <Command.Empty className="px-3 py-6 text-center text-fg-3">No command by that name</Command.Empty>
        {text.trim() !== '' && (
          <Command.Group forceMount>
            <Item value={`search ${text}`} forceMount onPick={() => go(`/search/?q=${encodeURIComponent(text.trim())}`)}>
              Search for “{text.trim()}”
            </Item>
          </Command.Group>
        )}
        {GROUPS.map((group) => (
          <Group key={group} name={group} actions={actions.filter((each) => each.group === group)} pick={pick} />
        ))}
        {incidents && incidents.rows.length > 0 && (
          <Command.Group heading={<Heading>Open incidents</Heading>}>
            {incidents.rows.map(({ incident }) => (
              <Item
                key={incident.id}
                value={`${incidentName(incident.id)} ${incident.title}`}
                onPick={() => go(`/incident/?id=${incident.id}`)}
              >
                <span className="mono text-fg-3">{incidentName(incident.id)}</span>
                <span className="truncate">{incident.title}</span>
              </Item>
            ))}
          </Command.Group>
        )}
      </Command.List>
    </Command.Dialog>
  )
}

const GROUPS = ['Incident', 'Go to', 'View'] as const

interface GroupProps {
  name: string
  actions: Action[]
  pick: (run: () => void) => void
}

function Group({ name, actions, pick }: GroupProps) {
  if (actions.length === 0) return null
  return (
    <Command.Group heading={<Heading>{name}</Heading>}>
      {actions.map((action) => (
        <Item
          key={action.id}
          value={`${action.title} ${action.id}`}
          isDisabled={Boolean(action.disabledReason)}
          onPick={() => pick(action.run)}
        >
          <span className="min-w-0 flex-1 truncate">
            {action.title}
            {action.disabledReason && <span className="text-fg-3"> · {action.disabledReason}</span>}
          </span>
          <Kbd keys={action.keys} />
        </Item>
      ))}
    </Command.Group>
  )
}

function Heading({ children }: { children: ReactNode }) {
  return <span className="block px-2 pt-2 pb-1 text-meta font-medium text-fg-3">{children}</span>
}

interface ItemProps {
  value: string
  isDisabled?: boolean
  forceMount?: boolean
  onPick: () => void
  children: ReactNode
}

function Item({ value, isDisabled = false, forceMount = false, onPick, children }: ItemProps) {
  return (
    <Command.Item
      value={value}
      disabled={isDisabled}
      forceMount={forceMount}
      onSelect={onPick}
      className="flex min-h-9 cursor-pointer items-center gap-2 rounded-md px-2 aria-disabled:cursor-not-allowed aria-disabled:text-fg-3 aria-selected:bg-raised max-sm:min-h-11"
    >
      {children}
    </Command.Item>
  )
}
