import { useMutation, useQueryClient } from '@tanstack/react-query'
import { toast } from '../toasts'
import { ApiError, api, unwrap } from './client'
import { roomQuery, tokensQuery } from './queries'
import type { NewToken, ProposalView } from './types'

/** Every write of the API. What it answers is shown at once; the live stream brings the rest. */

function useRoomCache(incidentId: number) {
  const client = useQueryClient()
  const { queryKey } = roomQuery(incidentId)
  return {
    refresh: () => client.invalidateQueries({ queryKey }),
    show: (proposal: ProposalView) =>
      client.setQueryData(queryKey, (room) => {
        if (!room) return room
        const others = room.proposals.filter((each) => each.id !== proposal.id)
        const isKnown = others.length < room.proposals.length
        const proposals = isKnown
          ? room.proposals.map((each) => (each.id === proposal.id ? proposal : each))
          : [proposal, ...others]
        return { ...room, proposals }
      }),
  }
}

function complain(error: Error): void {
  toast(error.message, { isError: true })
}

/** Approves exactly the digest that is on screen; where it is out of date, the new diff is shown. */
export function useApprove(incidentId: number) {
  const room = useRoomCache(incidentId)
  return useMutation({
    mutationFn: ({ id, digest }: ProposalView) =>
      unwrap(
        api.POST('/api/proposals/{proposal_id}/approve', {
          params: { path: { proposal_id: id } },
          body: { digest, reason: '' },
        }),
      ),
    onSuccess: ({ proposal }) => {
      room.show(proposal)
      toast(proposal.pull_request ? 'Approved. The pull request is opened now' : 'Approved. It is applied now, then watched')
    },
    onError: (error) => {
      const newer = error instanceof ApiError ? error.problem?.proposal : null
      if (newer) room.show(newer)
    },
    onSettled: room.refresh,
  })
}

export function useReject(incidentId: number) {
  const room = useRoomCache(incidentId)
  return useMutation({
    mutationFn: ({ id, reason }: { id: number; reason: string }) =>
      unwrap(
        api.POST('/api/proposals/{proposal_id}/reject', {
          params: { path: { proposal_id: id } },
          body: { reason },
        }),
      ),
    onSuccess: room.show,
    onError: complain,
    onSettled: room.refresh,
  })
}

/** Merges the pull request, which only the simulation lets us do. */
export function useMerge(incidentId: number) {
  const room = useRoomCache(incidentId)
  return useMutation({
    mutationFn: ({ id }: ProposalView) =>
      unwrap(api.POST('/api/proposals/{proposal_id}/merge', { params: { path: { proposal_id: id } } })),
    onSuccess: (proposal) => {
      room.show(proposal)
      toast('Merged. The cluster takes it over next')
    },
    onError: complain,
    onSettled: room.refresh,
  })
}

/** Has the agents look again. */
export function useLookAgain(incidentId: number) {
  const room = useRoomCache(incidentId)
  const params = { path: { incident_id: incidentId } }
  return useMutation({
    mutationFn: () => unwrap(api.POST('/api/incidents/{incident_id}/remediate', { params })),
    onSuccess: () => toast('Looked again'),
    onError: complain,
    onSettled: room.refresh,
  })
}

export function useAcknowledge(incidentId: number) {
  const room = useRoomCache(incidentId)
  const params = { path: { incident_id: incidentId } }
  return useMutation({
    mutationFn: () => unwrap(api.POST('/api/incidents/{incident_id}/ack', { params })),
    onSuccess: () => toast('Acknowledged'),
    onError: complain,
    onSettled: room.refresh,
  })
}

export function useResolve(incidentId: number) {
  const room = useRoomCache(incidentId)
  const params = { path: { incident_id: incidentId } }
  return useMutation({
    mutationFn: (resolution: string) =>
      unwrap(api.POST('/api/incidents/{incident_id}/resolve', { params, body: { resolution } })),
    onSuccess: () => toast('Resolved'),
    onError: complain,
    onSettled: room.refresh,
  })
}

export function useNote(incidentId: number) {
  const room = useRoomCache(incidentId)
  const params = { path: { incident_id: incidentId } }
  return useMutation({
    mutationFn: (text: string) =>
      unwrap(api.POST('/api/incidents/{incident_id}/notes', { params, body: { text } })),
    onError: complain,
    onSettled: room.refresh,
  })
}

/** The incident as Markdown. */
export function readPostmortem(incidentId: number): Promise<string> {
  return unwrap(
    api.GET('/api/incidents/{incident_id}/postmortem', {
      params: { path: { incident_id: incidentId } },
      parseAs: 'text',
    }),
  )
}

export function useChaos() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (body: { namespace: string; name: string }) =>
      unwrap(api.POST('/api/chaos', { body })),
    onError: complain,
    onSettled: () => client.invalidateQueries({ queryKey: ['chaos'] }),
  })
}

/** What it answers holds the token itself: it goes from memory with the view that shows it. */
export function useMakeToken() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (body: NewToken) => unwrap(api.POST('/api/tokens', { body })),
    gcTime: 0,
    onSettled: () => client.invalidateQueries(tokensQuery()),
  })
}

export function useRevokeToken() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) =>
      unwrap(
        api.POST('/api/tokens/{token_id}/revoke', {
          params: { path: { token_id: id } },
          body: { reason },
        }),
      ),
    onSuccess: ({ name }) => toast(`Revoked. Within ten seconds the token of ${name} opens nothing any more`),
    onError: complain,
    onSettled: () => client.invalidateQueries(tokensQuery()),
  })
}
