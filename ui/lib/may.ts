import { useQuery } from '@tanstack/react-query'
import { meQuery } from './api/queries'
import type { Me } from './api/types'

type Role = Me['role']

/** Each may all that those before it may; the twin of `Role` in `domain/people.py`. */
const ORDER: readonly Role[] = ['viewer', 'responder', 'admin']

/** Why a person may not do what takes this role; empty where they may, or while nobody knows. */
export function whyNot(me: Me | undefined, needed: Role): string {
  if (!me || ORDER.indexOf(me.role) >= ORDER.indexOf(needed)) return ''
  return `This takes the role ${needed}; yours is ${me.role}.`
}

/** The same for who is signed in here. The server decides; this only says it before. */
export function useWhyNot(needed: Role): string {
  const { data: me } = useQuery(meQuery())
  return whyNot(me, needed)
}
