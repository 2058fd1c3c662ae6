import createClient from 'openapi-fetch'
import { PROOF, signInAgain } from '../session'
import type { paths } from './schema'
import type { Problem } from './types'

/** The gateway, on our own origin; the session travels in its cookie. */
export const api = createClient<paths>({
  // Request() wants an absolute address outside a browser, as in tests and while prerendering.
  baseUrl: globalThis.location?.origin ?? 'http://localhost',
  credentials: 'same-origin',
  headers: PROOF,
  fetch: (request) => globalThis.fetch(request),
})

/** What the API answered instead of data; `status` 0 where it did not answer at all. */
export class ApiError extends Error {
  readonly status: number
  readonly problem: Problem | null

  constructor(status: number, problem: Problem | null) {
    super(problem?.detail || problem?.title || fallback(status))
    this.name = 'ApiError'
    this.status = status
    this.problem = problem
  }
}

function fallback(status: number): string {
  return status === 0 ? 'The co-pilot does not answer.' : `The co-pilot answered ${status}.`
}

interface Answer<Data> {
  data?: Data | undefined
  error?: unknown
  response: Response
}

/** The data of an answer; anything else is thrown as an `ApiError`. */
export async function unwrap<Data>(answer: Promise<Answer<Data>>): Promise<Data> {
  const { data, error, response } = await answer.catch(() => {
    throw new ApiError(0, null)
  })
  if (response.status === 401) signInAgain()
  if (!response.ok) throw new ApiError(response.status, isProblem(error) ? error : null)
  if (data === undefined) throw new ApiError(response.status, null)
  return data
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'title' in body && 'detail' in body
}
