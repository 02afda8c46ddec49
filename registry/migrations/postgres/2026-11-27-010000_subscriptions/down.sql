DROP TABLE notifications;
DROP TABLE pull_points;
DROP TABLE subscriptions;
