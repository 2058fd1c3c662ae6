'use client'

import { useQuery } from '@tanstack/react-query'
import { LogOut } from 'lucide-react'
import { meQuery } from '@/lib/api/queries'
import { signOut } from '@/lib/session'

/** Who is signed in, as what, and the way out. */
export function Account() {
  const { data: me } = useQuery(meQuery())
  return (
    <div className="flex h-12 items-center gap-2 border-t px-3">
      <p className="min-w-0 flex-1 leading-tight">
        <span className="block truncate font-medium" title={me?.name}>
          {me?.name ?? '…'}
        </span>
        <span className="block text-tiny text-fg-3">{me?.role ?? 'signing in'}</span>
      </p>
      {me?.has_session && (
        <button
          type="button"
          aria-label="Sign out"
          title="Sign out"
          onClick={() => void signOut(false)}
          className="grid size-8 place-items-center rounded-md text-fg-2 hover:bg-raised hover:text-fg"
        >
          <LogOut className="size-4" aria-hidden />
        </button>
      )}
    </div>
  )
}
