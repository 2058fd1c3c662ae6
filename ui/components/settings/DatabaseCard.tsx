'use client'

import { useQuery } from '@tanstack/react-query'
import { Card } from '@/components/ui/Card'
import { Loaded, RowSkeletons } from '@/components/ui/States'
import { databaseQuery } from '@/lib/api/queries'
import { ABILITY } from '@/lib/labels'
import { Row, Small } from './Row'

/** What the database can do, and what stands in for what it cannot. */
export function DatabaseCard() {
  const query = useQuery(databaseQuery())
  return (
    <Card title="Database">
      <Loaded query={query} what="what the database can do" skeleton={<RowSkeletons rows={6} height="h-14" />}>
        {({ product, version, abilities }) => (
          <dl className="divide-y">
            <Row name="Product">
              {product} {version}
              <Small>The co-pilot works without any of the following, only slower.</Small>
            </Row>
            {abilities.map((ability) => (
              <Row key={ability.name} name={ability.name}>
                {ABILITY[ability.state]}
                <Small>{ability.about}</Small>
              </Row>
            ))}
          </dl>
        )}
      </Loaded>
    </Card>
  )
}
