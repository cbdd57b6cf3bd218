"""No Wrong Door: referral and authorization for Enhanced Care Management and Community Supports."""
