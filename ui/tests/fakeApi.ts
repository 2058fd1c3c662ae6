import type { Problem } from '@/lib/api/types'

type Answer = object | string | Response | Promise<Response>

/** A request that reached the fake API. */
export interface Asked {
  route: string
  body: unknown
}

/**
 * Answers requests by method and path (`GET /api/me`) instead of a server, and tells what was asked.
 * A route that is not given is a 404, as in the real API.
 */
export function fakeApi(routes: Record<string, Answer | (() => Answer)>): Asked[] {
  const asked: Asked[] = []
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const route = `${request.method} ${new URL(request.url).pathname}`
    const text = await request.text()
    asked.push({ route, body: text ? JSON.parse(text) : null })
    const given = routes[route]
    const answer = typeof given === 'function' ? given() : given
    if (answer === undefined) return problem(404, 'NotFound', `there is no ${route}`)
    if (answer instanceof Response || answer instanceof Promise) return answer
    return Response.json(answer)
  }
  return asked
}

export function problem(
  status: number,
  title: string,
  detail: string,
  more: Partial<Problem> = {},
): Response {
  const body: Problem = {
    type: 'about:blank',
    title,
    status,
    detail,
    reference: null,
    proposal: null,
    ...more,
  }
  return Response.json(body, { status, headers: { 'content-type': 'application/problem+json' } })
}

/** An answer that never comes. */
export function never(): Promise<Response> {
  return new Promise(() => {})
}
