"""Events (CloudEvents 1.0): taken in, stored, matched with subscriptions and handed on."""
