import { useQuery } from '@tanstack/react-query'
import { chaosQuery, statusQuery } from '@/lib/api/queries'

/** Whether there is anything to break on purpose: the demo cluster, or a namespace labelled so. */
export function useHasChaos(): boolean {
  const { data: status } = useQuery(statusQuery())
  const { data: chaos } = useQuery({ ...chaosQuery(), enabled: status?.is_demo === false })
  return status?.is_demo === true || (chaos !== undefined && chaos.targets.length > 0)
}
